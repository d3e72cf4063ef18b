"""`twinstream parity --rederive --every`: comparing on a schedule, with the last result as Prometheus gauges."""

import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Gauge

from twinstream.audit.comparing import Comparison
from twinstream.health import HealthServer
from twinstream.log.kafka import KafkaUnavailable, RecordsDeleted
from twinstream.logging import get_logger


def monitor(
    look: Callable[[], list[Comparison]],
    every_s: float,
    metrics_port: int,
    show: Callable[[list[Comparison]], None],
    until: Callable[[], bool] = lambda: False,
    on_port: Callable[[int], None] = lambda port: None,
) -> None:
    """Look again and again, and serve what was found last as Prometheus gauges.

    A look that Kafka's absence or its retention ends is left out with a warning; the next one may do better.

    Args:
        look: compares.
        every_s: seconds from one look's beginning to the next.
        metrics_port: of /metrics, on this machine.
        show: told what was found.
        until: asked after each look whether to end.
        on_port: told the port, once it answers.
    """
    registry = CollectorRegistry()
    rows = Gauge(
        "twinstream_parity_rows",
        "Rows of the last look by what became of them: compared, missing, extra or different.",
        ["log", "outcome"],
        registry=registry,
    )
    looked = Gauge("twinstream_parity_timestamp_seconds", "When the last look ended, epoch seconds.", registry=registry)
    server = HealthServer(registry, lambda: (True, "looking"), port=metrics_port, setting="--metrics-port").start()
    on_port(server.port)
    try:
        while True:
            began = time.monotonic()
            try:
                results = look()
            except (KafkaUnavailable, RecordsDeleted) as error:
                _logger.warning("This look is left out", reason=str(error))
            else:
                for result in results:
                    for outcome in ("compared", "missing", "extra", "different"):
                        rows.labels(result.name, outcome).set(getattr(result, outcome))
                looked.set_to_current_time()
                show(results)
            if until():
                return
            time.sleep(max(0.0, began + every_s - time.monotonic()))
    except KeyboardInterrupt:
        """That is how it ends."""
    finally:
        server.stop()


_logger = get_logger(__name__)
