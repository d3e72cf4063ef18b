"""The command `twinstream` under the name it had before: `python -m store`."""
