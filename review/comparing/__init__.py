"""Compares values before and after by meaning: objects, lists of blocks, IAM policies.

From outside: `differences`, and for flags on policies `policies` and `policy_changes`.
"""
