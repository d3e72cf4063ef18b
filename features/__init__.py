"""The feature functions and everything they stand on: pure code, no I/O, no clock, no randomness.

Both runtimes, the offline replay and the read path call these same functions, so that one log gives the same bytes
everywhere. Start with `twinstream.core.state` (the three core functions) and `features.groups` (what is computed).
"""
