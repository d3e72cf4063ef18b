"""The log: what the engine needs of it, Kafka, and a log in this process."""
