"""Deployments: `deploy.deploy` plans, applies, watches, tests, bakes and undoes.

`bootstrap.Bootstrap` is the first time.
"""
