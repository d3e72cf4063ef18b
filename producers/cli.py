"""`python -m producers`: every command, its flags and examples. The work is in `producers.commands`."""

import time
from pathlib import Path
from typing import Annotated

import typer

from producers.interrupts import interrupts
from twinstream.errors import UserError
from twinstream.log.kafka import LogError
from twinstream.logging import configure_logging
from twinstream.settings import load_settings
from twinstream.terminal import command_line, help_is_asked_for, run_command

app = command_line(
    no_args_is_help=True,
    # As `twinstream` names it; listed in no help, where two long names leave no room.
    context_settings={
        "token_normalize_func": lambda name: "bootstrap-servers" if name == "kafka-servers" else str(name)
    },
)

Servers = Annotated[
    str | None,
    typer.Option("--bootstrap-servers", help="Kafka brokers; default KAFKA_SERVERS or localhost:9092."),
]
Seed = Annotated[int, typer.Option("--seed", envvar="SEED", help="Same seed, same data.")]
JsonTarget = Annotated[str | None, typer.Option("--json", help="Write the figures as JSON to a file, or - for stdout.")]


@app.callback()
def options(
    log_level: Annotated[str | None, typer.Option("--log-level", help="DEBUG, INFO, WARNING or ERROR.")] = None,
) -> None:
    """Synthetic payment data: profiles (what) x sinks (where to) x pacing (when)."""
    if not help_is_asked_for():
        configure_logging(load_settings(log_level=log_level).log_level)


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


Topic = Annotated[str, typer.Option(envvar="KAFKA_TOPIC", help="Kafka topic; created if missing.")]
Duration = Annotated[float | None, typer.Option(envvar="DURATION", min=0.0, help="Seconds; default until Ctrl-C.")]
RunSeed = Annotated[int | None, typer.Option("--seed", help="Same seed, same data; by default each run differs.")]
UseAws = Annotated[bool, typer.Option("--use-aws", help="Real AWS, whatever AWS_ENDPOINT_URL says.")]
Stream = Annotated[str, typer.Option("--stream-name", help="Kinesis stream.")]
Out = Annotated[Path, typer.Option("--out", help="Folder for the files.")]
Files = Annotated[list[Path], typer.Argument(help="Files that `parquet` wrote.")]
NoFiles = Annotated[list[Path] | None, typer.Argument(help="Files that `parquet` wrote; default today's.")]
FraudProbability = Annotated[float, typer.Option(min=0.0, max=1.0, help="Probability of fraud.")]


@app.command(epilog="Example: `python -m producers --log-level DEBUG orders --topic orders --rate 1000 --duration 60`")
def orders(
    topic: Topic = "orders",
    rate: Annotated[float, typer.Option(envvar="GENERATION_RATE", min=0.0, help="Orders per hour.")] = 1000.0,
    duration: Duration = None,
    zone: Annotated[str, typer.Option("--time-zone", envvar="TIME_ZONE", help="Whose hours of the day count.")] = "UTC",
    seed: RunSeed = None,
    servers: Servers = None,
    json_target: JsonTarget = None,
) -> None:
    """E-commerce orders into Kafka, busier at lunch and quieter at night."""
    from producers.commands.orders import orders as run

    settings = load_settings(kafka_servers=servers)
    run(settings, topic=topic, rate=rate, duration=duration, zone=zone, seed=seed, json_target=json_target)


@app.command(epilog="Example: `python -m producers accounts --rate 10 --duration 60`")
def accounts(
    topic: Topic = "transactions",
    rate: Annotated[float, typer.Option(min=0.0, help="Transactions per second; 0 is no limit.")] = 10.0,
    duration: Duration = None,
    count: Annotated[int | None, typer.Option(min=1, help="Transactions; default until the end.")] = None,
    fraud_probability: FraudProbability = 0.15,
    locale: Annotated[str, typer.Option(help="pt_BR or en_US.")] = "pt_BR",
    seed: RunSeed = None,
    servers: Servers = None,
    json_target: JsonTarget = None,
) -> None:
    """Account activity (pt_BR) into Kafka at a steady rate."""
    from producers.commands.accounts import accounts as run

    run(
        load_settings(kafka_servers=servers),
        topic=topic,
        rate=rate,
        duration=duration,
        count=count,
        fraud_probability=fraud_probability,
        locale=locale,
        seed=seed,
        json_target=json_target,
    )


@app.command(epilog="Example: `python -m producers menu`")
def menu(topic: Topic = "transactions", servers: Servers = None) -> None:
    """An interactive menu: a batch, a stream, or one account's activity."""
    from producers.commands.menu import menu as run

    run(load_settings(kafka_servers=servers), topic)


@app.command(epilog="Example: `python -m producers kinesis --num-transactions 500 --batch-size 20`")
def kinesis(
    num_transactions: Annotated[int, typer.Option(min=1, help="Transactions to send.")] = 100,
    batch_size: Annotated[int, typer.Option(min=1, help="Transactions generated at a time.")] = 10,
    fraud_ratio: Annotated[float, typer.Option(min=0.0, max=1.0, help="Share of fraud.")] = 0.05,
    stream_name: Stream = "fraud-transactions",
    use_aws: UseAws = False,
    seed: RunSeed = None,
    metrics_file: Annotated[str | None, typer.Option(help="Write the final figures as JSON.")] = None,
    failed_file: Annotated[Path, typer.Option(help="Where undelivered records go.")] = Path(
        "outputs/kinesis_failed.jsonl"
    ),
) -> None:
    """Card transactions with fraud patterns into a Kinesis stream; JSON events on standard output."""
    from producers.commands.kinesis import send_to_kinesis
    from producers.kinesis import KinesisProducer

    producer = KinesisProducer(
        stream_name, endpoint_url=load_settings().aws_endpoint_url, use_aws=use_aws, failed_file=failed_file
    )
    send_to_kinesis(
        producer,
        num_transactions=num_transactions,
        batch_size=batch_size,
        fraud_ratio=fraud_ratio,
        seed=seed,
        metrics_file=metrics_file,
    )


@app.command("setup-kinesis", epilog="Example: `python -m producers setup-kinesis`")
def setup_kinesis(
    stream_name: Stream = "fraud-transactions",
    shards: Annotated[int, typer.Option(min=1, help="Shards of the stream.")] = 1,
    use_aws: UseAws = False,
) -> None:
    """Create the Kinesis stream; safe to run twice."""
    from producers.commands.kinesis import setup_kinesis as run

    run(stream_name, shards, endpoint_url=load_settings().aws_endpoint_url, use_aws=use_aws)


@app.command(epilog="Example: `python -m producers parquet --rows 1_000_000 --out outputs/`")
def parquet(
    rows: Annotated[str, typer.Option(help="Rows, for example 1_000_000.")] = "1_000_000",
    out: Out = Path("outputs"),
    seed: Seed = 42,
    as_of: Annotated[str | None, typer.Option(help="End of the 30 days (ISO-8601); default today 00:00 UTC.")] = None,
    upload: Annotated[bool, typer.Option("--upload", help="Profile the file, then put both into S3.")] = False,
    use_aws: UseAws = False,
    json_target: JsonTarget = None,
) -> None:
    """Card payments as a Parquet file, reproducible to the byte."""
    from producers.commands.parquet import generate, profile
    from producers.commands.parquet import upload as run_upload

    path = generate(whole_number("--rows", rows), out, seed=seed, as_of=as_of, json_target=json_target)
    if upload:
        paths = [path, *profile([path], out)]
        run_upload(paths, endpoint_url=load_settings().aws_endpoint_url, use_aws=use_aws)


@app.command(epilog="Example: `python -m producers validate outputs/payments_1M_2026-11-21.parquet`")
def validate(files: Files, json_target: JsonTarget = None) -> None:
    """Check files against the schema; exit code 1 if any check fails."""
    from producers.commands.parquet import validate as run

    if not run(files, json_target):
        raise typer.Exit(1)


@app.command(epilog="Example: `python -m producers profile outputs/payments_1M_2026-11-21.parquet`")
def profile(
    files: NoFiles = None,
    file: Annotated[list[Path] | None, typer.Option("--file", help="The same, as an option.")] = None,
    out: Out = Path("outputs"),
) -> None:
    """An HTML profile of a 100 000-row sample of each file; today's file is made first if there is none."""
    from producers.commands.parquet import profile as run

    run([*(file or []), *(files or [])], out)


@app.command(epilog="Example: `RAW_BUCKET=my-bucket python -m producers upload outputs/*.parquet outputs/*.html`")
def upload(files: Files, use_aws: UseAws = False) -> None:
    """Files into s3://$RAW_BUCKET, under a path that tells their date."""
    from producers.commands.parquet import upload as run

    run(files, endpoint_url=load_settings().aws_endpoint_url, use_aws=use_aws)


@app.command(epilog="Example: `python -m producers replay outputs/payments_1M_2026-11-21.parquet --speed 60x`")
def replay(
    file: Annotated[Path, typer.Argument(help="A file that `parquet` wrote.")],
    speed: Annotated[str, typer.Option(help="A multiple of its own time such as 60x, or max.")] = "max",
    topic: Annotated[str | None, typer.Option(help="Kafka topic; default a fresh one.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first rows.")] = None,
    servers: Servers = None,
) -> None:
    """A Parquet file into Kafka, in its order."""
    from producers.commands.replay import parse_speed
    from producers.commands.replay import replay as run

    run(load_settings(kafka_servers=servers), file, speed=parse_speed(speed), topic=topic, limit=limit)


@app.command(epilog="Example: `python -m producers stream clicks --sink stdout --count 5`")
def stream(
    profile: Annotated[str, typer.Argument(help="transactions, accounts, orders or clicks.")],
    sink: Annotated[str, typer.Option(help="kafka, kinesis, file, stdout, parquet, s3 or memory.")] = "kafka",
    target: Annotated[str | None, typer.Option(help="Topic, stream, file or bucket/key.")] = None,
    count: Annotated[int | None, typer.Option(min=1, help="Records; default until the end.")] = None,
    rate: Annotated[float, typer.Option(min=0.0, help="Records per second; 0 is no limit.")] = 0.0,
    duration: Duration = None,
    seed: RunSeed = None,
    use_aws: UseAws = False,
    servers: Servers = None,
    json_target: JsonTarget = None,
) -> None:
    """Any profile into any sink at any pace."""
    from producers.commands.stream import run
    from producers.profiles import PROFILES, make_profile

    if profile not in PROFILES:
        raise UserError(f"There is no profile {profile!r}; expected one of {', '.join(PROFILES)}.")
    run(
        load_settings(kafka_servers=servers),
        make_profile(profile, 42 if seed is None else seed, time.time_ns() if seed is None else ""),
        sink_name=sink,
        target=target,
        count=count,
        per_second=rate,
        duration=duration,
        use_aws=use_aws,
        json_target=json_target,
    )


def whole_number(flag: str, text: str) -> int:
    """A whole number above 0, underscores allowed."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise UserError(f"{flag} is {text!r}; expected a whole number above 0, such as 1_000_000.")
    return number


def main() -> None:
    """Run a command; a user's mistake is one line on standard error and exit code 2.

    SIGTERM ends a stream as Ctrl-C does: flushed and summed up.
    """
    interrupts.install()
    run_command(app, "python -m producers", told=(UserError, LogError))
