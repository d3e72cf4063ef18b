"""The online store: its contract, Redis and a store in this process that keep it, and reads at a moment."""
