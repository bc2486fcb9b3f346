"""Release records: `records.Releases` reads and writes those of an environment, under a lock."""
