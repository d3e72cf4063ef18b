"""`BaseProducer` and the monitor, on a list as sink and a clock moved by hand."""

from typing import Any

from producers.base import BaseProducer
from producers.clock import ManualClock
from producers.monitoring import ProducerMonitor, monitor
from producers.records import Record
from producers.sinks.memory import MemorySink
from tests.producers.conftest import START_MS


class Numbers(BaseProducer):
    """Counts; refuses multiples of five; is interrupted at fifty."""

    made = 0

    def generate_message(self) -> Record:
        self.made += 1
        if self.made == 50:
            raise KeyboardInterrupt
        return {"number": self.made}

    def get_message_key(self, message: Record) -> str:
        return str(message["number"] % 3)

    def validate_message(self, message: Record) -> list[str]:
        return ["number: a multiple of five"] if message["number"] % 5 == 0 else []


def numbers(rate: float = 3_600.0, **options: Any) -> tuple[Numbers, MemorySink]:
    sink = MemorySink()
    return Numbers(generation_rate=rate, sink=sink, clock=ManualClock(START_MS), **options), sink


def test_producer_sends_at_its_hourly_rate_for_the_duration() -> None:
    producer, sink = numbers(rate=3_600.0)
    assert producer.run_continuous(20) == 16
    assert len(sink.messages) == 16
    assert producer.clock.monotonic() == 20


def test_invalid_messages_are_counted_as_failed_and_not_sent() -> None:
    producer, sink = numbers(rate=0)
    assert producer.run_continuous(max_messages=8) == 8
    assert [message.value for message in sink.messages[:5]] == [b'{"number":%d}' % number for number in (1, 2, 3, 4, 6)]
    assert producer.get_metrics()["messages_failed"] == 1


def test_interrupt_ends_the_run_and_keeps_what_was_sent() -> None:
    producer, sink = numbers(rate=0)
    assert producer.run_continuous() == 40
    assert producer.get_metrics()["messages_sent"] == len(sink.messages) == 40


def test_metrics_have_the_four_figures_of_the_contract() -> None:
    producer, sink = numbers(rate=0)
    assert producer.get_metrics()["last_send_time"] is None
    with producer:
        producer.run_continuous(max_messages=3)
    assert producer.get_metrics() == {
        "messages_sent": 3,
        "messages_failed": 0,
        "bytes_sent": sink.delivery.bytes_sent,
        "last_send_time": START_MS / 1000,
    }


def test_monitor_adds_up_all_producers() -> None:
    own = ProducerMonitor()
    one, two = own.register_producer("one"), own.register_producer("two")
    assert own.register_producer("one") is one
    one.messages_sent, one.bytes_sent, one.last_send_time = 3, 30, 5.0
    two.messages_sent, two.messages_failed, two.last_send_time = 5, 2, 9.0
    aggregate = own.get_aggregate_metrics()
    assert aggregate["producers"] == 2
    assert (aggregate["messages_sent"], aggregate["messages_failed"], aggregate["bytes_sent"]) == (8, 2, 30)
    assert aggregate["success_rate"] == 0.8
    assert aggregate["last_send_time"] == 9.0
    assert own.get_producer_metrics("two") == aggregate["by_producer"]["two"]
    assert own.get_producer_metrics("three") is None
    own.reset()
    assert own.get_aggregate_metrics()["success_rate"] is None


def test_each_producer_registers_with_the_process_monitor() -> None:
    producer, _ = numbers(rate=0, name="numbers-of-this-test")
    producer.run_continuous(max_messages=2)
    assert monitor.get_aggregate_metrics()["by_producer"]["numbers-of-this-test"]["messages_sent"] == 2
