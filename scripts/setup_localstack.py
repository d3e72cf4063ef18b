"""The older name of `python -m producers setup-kinesis`, with its flags; `make up` starts the local AWS itself."""

import runpy
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parent.parent)
print("scripts/setup_localstack.py is now: python -m producers setup-kinesis", file=sys.stderr)
sys.argv[1:1] = ["setup-kinesis"]
runpy.run_module("producers", run_name="__main__")
