"""Single transactions on demand: the four fraud patterns, and the accounts."""

from collections import Counter

import pytest

from producers.clock import ManualClock
from producers.generator import FRAUD_PATTERNS, FakeTransactionGenerator, TransactionGenerator
from producers.records import parse_ms
from producers.schema import load_schema
from producers.stories import Scene
from tests.producers.conftest import START_MS
from twinstream.errors import UserError

SCHEMA = load_schema("transaction")


def generator(ratio: float = 0.05) -> TransactionGenerator:
    return TransactionGenerator(ratio, seed=1, clock=ManualClock(START_MS))


def scene(made: TransactionGenerator, number: int = 0) -> Scene:
    return Scene(made.cardholders[number], made._directory, made._random)


def test_there_are_the_four_patterns_of_the_contract() -> None:
    assert list(FRAUD_PATTERNS) == ["high_amount", "unusual_hour", "distance_from_home", "rapid_succession"]


def test_generated_transactions_match_the_schema_and_are_never_in_the_future() -> None:
    for transaction in generator(0.5).generate_batch(500):
        assert SCHEMA.faults(transaction) == []
        assert parse_ms(transaction["event_time"]) <= START_MS


@pytest.mark.parametrize("ratio", [0.0, 0.05, 0.5, 1.0])
def test_batch_has_the_fraud_ratio(ratio: float) -> None:
    frauds = sum(bool(each["label_fraud"]) for each in generator(ratio).generate_batch(4_000))
    assert frauds / 4_000 == pytest.approx(ratio, abs=0.02)


def test_default_fraud_ratio_is_five_percent_and_a_batch_may_have_its_own() -> None:
    made = TransactionGenerator()
    assert made.fraud_ratio == 0.05
    assert all(each["label_fraud"] for each in made.generate_batch(20, fraud_ratio=1.0))


def test_high_amount_is_many_times_what_the_card_spends() -> None:
    made = generator()
    for number in range(50):
        ((_, purchase),) = FRAUD_PATTERNS["high_amount"](scene(made, number), START_MS)
        usual = purchase.merchant.category.median_usd * made.cardholders[number].spending
        assert purchase.amount > 2 * usual
        assert purchase.amount > 100 or purchase.currency == "KWD"


def test_unusual_hour_is_between_two_and_four_at_night_where_the_owner_lives() -> None:
    made = generator()
    for number in range(100):
        person = scene(made, number)
        ((ago_ms, _),) = FRAUD_PATTERNS["unusual_hour"](person, START_MS)
        local = (START_MS - ago_ms) // 1000 / 3600 + person.holder.place.utc_offset_hours
        assert 0 <= ago_ms <= 24 * 3_600_000
        assert 2 <= local % 24 <= 4


def test_distance_from_home_is_abroad_with_the_card_in_hand() -> None:
    made = generator()
    for number in range(50):
        ((_, purchase),) = FRAUD_PATTERNS["distance_from_home"](scene(made, number), START_MS)
        assert purchase.city.country != made.cardholders[number].place.country
        assert purchase.merchant.category.channel != "ecommerce"


def test_rapid_succession_is_several_purchases_of_one_card_within_seconds() -> None:
    made = generator()
    draft = FRAUD_PATTERNS["rapid_succession"](scene(made), START_MS)
    assert len(draft) >= 3
    ago = [ago_ms for ago_ms, _ in draft]
    assert ago == sorted(ago, reverse=True)
    assert ago[0] < 20_000


def test_wrong_fraud_ratio_is_one_line() -> None:
    with pytest.raises(UserError, match=r"The fraud ratio is 2; expected a share from 0 to 1"):
        TransactionGenerator(2)


def test_account_ids_are_acc_and_eight_digits_and_accounts_keep_their_card() -> None:
    made = FakeTransactionGenerator(seed=42, clock=ManualClock(START_MS))
    cards = Counter()
    for transaction in made.generate_batch(2_000, fraud_probability=0.2):
        assert SCHEMA.faults(transaction) == []
        account = transaction["account_id"] or ""
        assert account.startswith("ACC-")
        assert account[4:].isdigit()
        assert len(account) == 12
        cards[account, transaction["card_id"]] += 1
    assert len(cards) == len({account for account, _ in cards}) <= 200


def test_fraud_can_be_forced_or_ruled_out() -> None:
    made = FakeTransactionGenerator()
    assert all(made.generate_transaction(force_fraud=True)["label_fraud"] for _ in range(20))
    assert not any(made.generate_transaction(force_fraud=False)["label_fraud"] for _ in range(20))


def test_amount_and_account_can_be_given() -> None:
    made = FakeTransactionGenerator("en_US")
    transaction = made.generate_transaction(False, account_id="ACC-00000042", amount_usd=9.99)
    assert (transaction["account_id"], transaction["amount"], transaction["currency"]) == ("ACC-00000042", 9.99, "USD")


def test_unknown_locale_is_one_line() -> None:
    with pytest.raises(UserError, match="There is no locale 'xx_XX'; expected one of en_US, pt_BR"):
        FakeTransactionGenerator("xx_XX")
