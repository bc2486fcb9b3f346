"""The release record of a service: `records.Releases` reads and writes it, under a lock."""
