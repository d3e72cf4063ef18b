"""The older name of `python -m producers profile`, with its flags; without files it profiles today's."""

import runpy
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parent.parent)
print("scripts/profile_parquet.py is now: python -m producers profile", file=sys.stderr)
sys.argv[1:1] = ["profile"]
runpy.run_module("producers", run_name="__main__")
