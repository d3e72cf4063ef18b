"""States, progress and features in Redis: fenced writes, the sweep, and reads at a moment."""
