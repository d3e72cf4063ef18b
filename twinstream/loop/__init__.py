"""The lightweight runtime: a loop over Kafka."""
