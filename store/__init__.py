"""Where results live: the online store in Redis, and the commands over it (`python -m store --help`)."""
