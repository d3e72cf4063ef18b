"""Where the repository is, what runs in it, and the jars of its broker."""

from pathlib import Path

from twinstream.local.jars import Jars

ROOT = Path(__file__).resolve().parent.parent.parent
RUN_DIRECTORY = ROOT / ".run"
KAFKA = Jars("Kafka", ROOT / "deploy" / "pom.xml", RUN_DIRECTORY / "jars")
