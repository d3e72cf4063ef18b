"""The read API: exact features over HTTP. `docs/serving.md` says what it answers."""
