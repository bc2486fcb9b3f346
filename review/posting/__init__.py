"""Delivers a review: to a pull request's comment, the issue about drift, a job's summary.

From outside: `pull_request`, `drift_issue`, `summary`, and `pipeline` for the run of GitHub Actions.
"""
