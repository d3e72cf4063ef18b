"""The two runtimes over the one set of feature functions: the lightweight Kafka loop and the PyFlink job."""
