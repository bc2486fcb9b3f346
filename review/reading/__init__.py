"""Reads plan files into `review.model`, with values that are safe to show.

From outside: `read_stacks` in `stacks`, and `changes_hash` in `canonical`.
"""
