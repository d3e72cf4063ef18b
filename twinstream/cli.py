"""The command `twinstream`. Each subcommand is a module of the room that it belongs to; here it gets its name."""

from twinstream.audit.evaluate import evaluate
from twinstream.audit.parity import parity
from twinstream.audit.shadow import shadow
from twinstream.catalog import catalog
from twinstream.check import check
from twinstream.errors import UserError
from twinstream.init import init
from twinstream.job.flink_command import app as flink
from twinstream.letters.dead_letters_command import app as dead_letters
from twinstream.log.kafka import LogError
from twinstream.log.listing import topics
from twinstream.log.peek import peek
from twinstream.logging import configure_logging
from twinstream.loop.worker import main as run
from twinstream.offline.history_commands import backfill, export, training_set
from twinstream.online.get import get
from twinstream.online.store_errors import StoreError
from twinstream.serving.command import serve
from twinstream.settings import load_settings
from twinstream.terminal import command_line, help_is_asked_for, run_command

app = command_line(no_args_is_help=True)


@app.callback()
def commands() -> None:
    """Real-time features: compute them, read them, replay them, and prove that all agree."""
    if not help_is_asked_for():
        configure_logging(load_settings().log_level)


app.command(epilog="Example:\n\n`twinstream init shop && cd shop && make test`")(init)
app.command(
    name="run",
    epilog="Examples:\n\n`twinstream run`\n\n`twinstream run --features shop/features.py --until-caught-up`",
)(run)
app.command(
    epilog="Examples:\n\n`twinstream catalog`\n\n`twinstream catalog --group order --format json`\n\n"
    "`twinstream catalog --features shop/features.py`"
)(catalog)
app.command(epilog="Examples:\n\n`twinstream check`\n\n`twinstream check --features shop/features.py`")(check)
app.command(
    epilog="Examples:\n\n`twinstream get transaction card_0000000001`\n\n"
    "`twinstream get order user_000000001 --at 2026-03-01T12:00:00Z --json`"
)(get)
app.command(
    epilog="Examples:\n\n`twinstream serve`\n\n`twinstream serve --features shop/features.py --port 8091 --workers 2`"
)(serve)
app.command(epilog="Examples:\n\n`twinstream topics`\n\n`twinstream topics --features shop/features.py`")(topics)
app.command(epilog="Examples:\n\n`twinstream peek transactions`\n\n`twinstream peek orders.dlq --first 3 --json`")(peek)
app.command(epilog="Example:\n\n`twinstream evaluate --alerts 0.5 --json`")(evaluate)
app.command(
    epilog="Examples:\n\n`twinstream export --out features-dataset`\n\n"
    "`twinstream export --out features-dataset --group order`"
)(export)
app.command(
    epilog="Examples:\n\n`twinstream backfill --in transactions --out history`\n\n"
    "`twinstream backfill --in outputs/payments_1M_2026-03-01.parquet --out history`"
)(backfill)
app.command(
    name="training-set",
    epilog="Example:\n\n`twinstream training-set --labels labels.parquet --features features-dataset "
    "--out train.parquet`",
)(training_set)
app.command(
    epilog="Examples:\n\n`twinstream parity --rederive`\n\n"
    "`twinstream parity --rederive --share 0.05 --every 300 --metrics-port 8089`\n\n"
    "`twinstream parity --left loop. --left-redis-db 1 --right flink. --right-redis-db 2`"
)(parity)
app.command(
    epilog="Examples:\n\n`twinstream shadow --candidate next.py`\n\n"
    "`twinstream shadow --candidate next.py --in outputs/payments_1M_2026-03-01.parquet --share 0.1`"
)(shadow)
app.add_typer(dead_letters, name="dead-letters")
app.add_typer(flink, name="flink")


def main(program: str = "twinstream") -> None:
    """Run a command; a failure that the user can mend is one line."""
    run_command(app, program, told=(UserError, LogError, StoreError))
