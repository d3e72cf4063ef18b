"""What a scrape of the read API says."""

from collections.abc import Callable

import pytest

from tests.features.events import MIDDAY_MS
from tests.serving.calls import call
from twinstream.serving.http import Application

Make = Callable[..., Application]


def scraped(application: Application) -> str:
    answered = call(application, "GET", "/metrics")
    assert answered.headers["content-type"].startswith("text/plain")
    return answered.body.decode()


@pytest.mark.usefixtures("cards")
def test_requests_are_counted_by_route_and_status(api: Make) -> None:
    application = api()
    call(application, "GET", "/v1/features/transaction/card_1")
    call(application, "GET", "/v1/features/transaction/card_2")
    call(application, "POST", "/v1/features", b"{")
    call(application, "GET", "/wp-admin")

    said = scraped(application)

    counted = "twinstream_serving_request_seconds_count"
    assert f'{counted}{{route="/v1/features/{{group}}/{{entity}}",status="200"}} 2.0' in said
    assert f'{counted}{{route="/v1/features",status="400"}} 1.0' in said
    assert f'{counted}{{route="other",status="404"}} 1.0' in said
    assert "card_1" not in said
    assert "wp-admin" not in said


@pytest.mark.usefixtures("cards")
def test_entities_per_call_answers_and_ages_are_counted(api: Make) -> None:
    application = api()
    body = {"entities": {"transaction": ["card_1", "card_2", "nobody"]}, "at": MIDDAY_MS + 1_500}
    call(application, "POST", "/v1/features", body)

    said = scraped(application)

    assert "twinstream_serving_entities_per_call_sum 3.0" in said
    assert 'twinstream_serving_answers_total{group="transaction",status="present"} 2.0' in said
    assert 'twinstream_serving_answers_total{group="transaction",status="absent"} 1.0' in said
    assert 'twinstream_serving_age_seconds_count{group="transaction"} 2.0' in said
    assert 'twinstream_serving_age_seconds_sum{group="transaction"} 3.0' in said
