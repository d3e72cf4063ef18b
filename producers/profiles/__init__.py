"""What a record looks like: one file per kind of record. A profile makes the record that happens at a given time."""
