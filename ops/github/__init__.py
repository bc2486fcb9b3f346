"""GitHub: a workflow's role, reviews of plans, and where reviews are posted."""
