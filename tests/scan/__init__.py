"""Scans the stacks with checkov: no failed check without a reason, no reason without a failed check."""
