"""Estimates what a plan's resources cost a month at AWS's list prices: the part that does not depend on use.

`meters.toml` says what has a price, `prices.toml` what it is, `types.toml` which types are left out and why.
"""
