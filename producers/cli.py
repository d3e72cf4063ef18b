"""`python -m producers`: every command, its flags and examples. The work is in `producers.commands`."""

import logging
import sys
from typing import Annotated

import typer

from runtime.errors import UserError
from runtime.log import configure_logging
from runtime.settings import load_settings

app = typer.Typer(
    name="python -m producers",
    help=__doc__,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    add_completion=False,
)

Servers = Annotated[
    str | None,
    typer.Option(
        "--bootstrap-servers", "--kafka-servers", help="Kafka brokers; default KAFKA_SERVERS or localhost:9092."
    ),
]
Seed = Annotated[int, typer.Option("--seed", envvar="SEED", help="Same seed, same data.")]
JsonTarget = Annotated[str | None, typer.Option("--json", help="Write the figures as JSON to a file, or - for stdout.")]


@app.callback()
def options(
    log_level: Annotated[str | None, typer.Option("--log-level", help="DEBUG, INFO, WARNING or ERROR.")] = None,
) -> None:
    """Synthetic payment data: profiles (what) x sinks (where to) x pacing (when)."""
    level = load_settings(log_level=log_level).log_level
    configure_logging(level)
    if level != "DEBUG":
        logging.getLogger("kafka").setLevel("CRITICAL")  # our own errors say it in one line


@app.command(epilog="Example: `python -m producers seed --count 10000 --seed 42 --json -`")
def seed(
    count: Annotated[int, typer.Option(envvar="SEED_COUNT", min=1, help="Good events in all three topics.")] = 10_000,
    seed: Seed = 42,
    as_of: Annotated[str | None, typer.Option(help="Event times end here (ISO-8601); default now.")] = None,
    span_minutes: Annotated[float, typer.Option(min=0.1, help="Event time that a first seed covers.")] = 45.0,
    fraud_ratio: Annotated[float, typer.Option(min=0.0, max=0.5, help="Share of fraudulent transactions.")] = 0.03,
    bad_records: Annotated[bool, typer.Option(help="Inject a few bad records of every kind.")] = True,
    servers: Servers = None,
    json_target: JsonTarget = None,
) -> None:
    """Transactions, orders and clicks into Kafka, ending now, with a few bad records of every kind."""
    from producers.commands.seed import seed as run

    run(
        load_settings(kafka_servers=servers),
        count=count,
        seed=seed,
        as_of=as_of,
        span_minutes=span_minutes,
        fraud_ratio=fraud_ratio,
        with_bad_records=bad_records,
        json_target=json_target,
    )


def main() -> None:
    """Run a command; a user's mistake is one line on standard error and exit code 2."""
    try:
        app()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
