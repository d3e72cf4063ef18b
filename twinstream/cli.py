"""`python -m store`: commands over what the stores hold. Each command is a module; it is registered here."""

from twinstream.audit.evaluate import evaluate
from twinstream.audit.parity import parity
from twinstream.audit.shadow import shadow
from twinstream.errors import UserError
from twinstream.letters.commands import app as dead_letters
from twinstream.log.kafka import LogError
from twinstream.log.peek import peek
from twinstream.logging import configure_logging
from twinstream.offline.commands import backfill, export, training_set
from twinstream.online.get import get
from twinstream.online.store_errors import StoreError
from twinstream.settings import load_settings
from twinstream.terminal import command_line, help_is_asked_for, run_command

app = command_line(no_args_is_help=True)


@app.callback()
def commands() -> None:
    """What the stores hold: features at a moment, and what became of the records."""
    if not help_is_asked_for():
        configure_logging(load_settings().log_level)


app.command(
    epilog="Examples:\n\n`python -m store get transaction card_0000000001`\n\n"
    "`python -m store get order user_000000001 --at 2026-03-01T12:00:00Z --json`"
)(get)
app.command(
    epilog="Examples:\n\n`python -m store peek transactions`\n\n`python -m store peek orders.dlq --first 3 --json`"
)(peek)
app.command(epilog="Example:\n\n`python -m store evaluate --alerts 0.5 --json`")(evaluate)
app.command(
    epilog="Examples:\n\n`python -m store export --out features-dataset`\n\n"
    "`python -m store export --out features-dataset --group order`"
)(export)
app.command(
    epilog="Examples:\n\n`python -m store backfill --in transactions --out history`\n\n"
    "`python -m store backfill --in outputs/payments_1M_2026-03-01.parquet --out history`"
)(backfill)
app.command(
    name="training-set",
    epilog="Example:\n\n`python -m store training-set --labels labels.parquet --features features-dataset "
    "--out train.parquet`",
)(training_set)
app.command(
    epilog="Examples:\n\n`python -m store parity --rederive`\n\n"
    "`python -m store parity --rederive --share 0.05 --every 300 --metrics-port 8089`\n\n"
    "`python -m store parity --left loop. --left-redis-db 1 --right flink. --right-redis-db 2`"
)(parity)
app.command(
    epilog="Examples:\n\n`python -m store shadow --candidate next.py`\n\n"
    "`python -m store shadow --candidate next.py --in outputs/payments_1M_2026-03-01.parquet --share 0.1`"
)(shadow)
app.add_typer(dead_letters, name="dead-letters")


def main() -> None:
    """Run a command; a failure that the user can mend is one line."""
    run_command(app, "python -m store", told=(UserError, LogError, StoreError))
