"""The PyFlink job: the feature functions of the loop as one keyed stage of a Flink cluster."""
