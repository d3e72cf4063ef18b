"""The online store in Redis: its keys, its scripts, its pipeline, and how to connect."""
