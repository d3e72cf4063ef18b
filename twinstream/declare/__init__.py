"""How a group of features is declared: a class with what it computes, compiled to what the engine runs.

    event.py         Event, the record as it is on the wire
    words.py         count, sum, last, …: what a feature can be, each with its accumulators
    group.py         FeatureGroup and @feature: the class that holds them
    sources.py       what of a record is kept in state: its fields, and what functions make of it
    compiling.py     from the class to the engine's group: decoding, the kept struct, the window

Nothing here runs per event but `decoding.py` and `kept.py`.
"""
