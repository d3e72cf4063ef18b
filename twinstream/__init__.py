"""The real-time feature engine: one set of feature functions, two stream runtimes, the same bytes."""
