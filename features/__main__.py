"""`python -m features catalog`, as it was typed before there was `twinstream catalog`."""

from twinstream.__main__ import main

main("python -m features")
