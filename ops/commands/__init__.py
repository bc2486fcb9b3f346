"""The commands, by topic: each module is a part of `python -m ops`."""
