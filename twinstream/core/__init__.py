"""What decides every result: pure code, no I/O, no clock, no randomness.

Start with `twinstream.core.state` (the core functions) and `twinstream.core.partition` (a batch of one partition).
"""
