"""The dead letters: reading them, and sending back those that can be repaired."""
