"""`menu`: account activity into Kafka, asked for step by step."""

import time
from collections.abc import Callable

from rich.prompt import FloatPrompt, IntPrompt, Prompt

from producers.account import TransactionKafkaProducer
from producers.console import progress_bar
from twinstream.settings import Settings
from twinstream.terminal import Terminal

CHOICES = {
    "1": "Batch: so many transactions at once",
    "2": "Stream: so many transactions per second for a while",
    "3": "Account activity: one account's transactions over some minutes",
    "q": "Quit",
}


def menu(settings: Settings, topic: str = "transactions") -> int:
    """Ask what to send until the user quits; return how many transactions were sent."""
    console = Terminal()
    total = 0
    with TransactionKafkaProducer(settings, topic) as producer:
        actions: dict[str, Callable[[TransactionKafkaProducer], int]] = {
            "1": _batch,
            "2": _stream,
            "3": _activity,
        }
        while True:
            for key, title in CHOICES.items():
                console.print(f"  {key}  {title}")
            choice = _ask(lambda: Prompt.ask("What now", choices=list(CHOICES), default="q"), "q")
            if choice not in actions:
                break
            sent = actions[choice](producer)
            total += sent
            console.print(f"{sent:,} sent to {topic}, {total:,} in all")
    return total


def _ask(question: Callable[[], str], otherwise: str) -> str:
    """The answer; `otherwise` when the input has ended or Ctrl-C was typed."""
    try:
        return question()
    except (EOFError, KeyboardInterrupt):
        return otherwise


def _batch(producer: TransactionKafkaProducer) -> int:
    count = IntPrompt.ask("How many", default=100)
    fraud = FloatPrompt.ask("Probability of fraud", default=0.15)
    with progress_bar("Batch", count) as advance:
        return producer.send_batch(count, fraud, on_sent=_tell(advance))


def _stream(producer: TransactionKafkaProducer) -> int:
    rate = FloatPrompt.ask("Transactions per second", default=10.0)
    seconds = FloatPrompt.ask("Seconds", default=10.0)
    fraud = FloatPrompt.ask("Probability of fraud", default=0.15)
    with progress_bar("Stream", int(rate * seconds)) as advance:
        return producer.stream_transactions(rate, seconds, fraud_probability=fraud, on_sent=_tell(advance))


def _activity(producer: TransactionKafkaProducer) -> int:
    account = Prompt.ask("Account", default="ACC-00000001")
    count = IntPrompt.ask("How many", default=10)
    minutes = FloatPrompt.ask("Over how many minutes", default=1.0)
    velocity = Prompt.ask("End with a velocity fraud", choices=["y", "n"], default="n") == "y"
    with progress_bar("Account", count) as advance:
        return producer.stream_account_activity(account, count, minutes, velocity, on_sent=_tell(advance))


def _tell(advance: Callable[[int, float], None]) -> Callable[[int], None]:
    started = time.monotonic()
    return lambda sent: advance(sent, sent / max(1e-9, time.monotonic() - started))
