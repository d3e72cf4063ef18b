"""`python -m store`: the command `twinstream`, as it was typed before."""

from twinstream.__main__ import main

main("python -m store")
