"""Faults that the fast tests have to notice, and the runner that puts them in one at a time."""
