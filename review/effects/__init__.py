"""Says what a plan does to what runs, and what a revert of it does not bring back.

Both say only what the plan shows; the words and conditions of each resource type are in `tables/`.
"""
