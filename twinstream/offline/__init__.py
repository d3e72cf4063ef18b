"""The offline store: feature-log records as Parquet, from the log or replayed over history, and training sets."""
