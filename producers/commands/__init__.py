"""The commands of `python -m producers`: one file each, imported only when needed."""
