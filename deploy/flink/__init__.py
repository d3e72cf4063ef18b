"""Flink from its pip package: the job on a Flink of its own, a local standalone cluster, and submitting to any."""
