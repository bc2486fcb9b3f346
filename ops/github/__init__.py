"""GitHub: the role of a workflow, reviews of plans, and where they are posted."""
