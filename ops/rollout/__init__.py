"""Deployments: `deploy.deploy` plans, applies, watches, tests, bakes and undoes a release.

`bootstrap.Bootstrap` deploys an environment for the first time.
"""
