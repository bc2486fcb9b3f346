"""Reviews Terraform plans: their JSON in, Markdown and a verdict out.

A plan goes through `reading`, `comparing`, `flags`, `verdicts`, `rendering` and `posting`, in this order;
`model` is what they pass on. `cost` estimates what it costs a month before and after.
"""
