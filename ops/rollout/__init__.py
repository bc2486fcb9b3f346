"""Bringing a release into force: `deploy.deploy` plans, applies, watches, tests, bakes and undoes.

`bootstrap.Bootstrap` is the first time.
"""
