"""How a group of features is declared: a class with what it computes, compiled to what the engine runs.

event.py           Event, the record as it is on the wire
group.py           FeatureGroup, the class that holds the features; computed.py has @feature, for its methods
words/             count, sum, last, …: what a feature can be
accumulators.py    what the words keep up to date; decay.py has one more
sources.py         what is read of a record: a field, or what a function makes of it; functions.py knows functions
compiling.py       from the class to the engine's group
decoding.py        from a record's bytes to what is kept of it
kept.py            the window, which passes its events on to the accumulators
vocabulary.py      the words as a table, for the documentation; examples.py has what its examples are over
"""
