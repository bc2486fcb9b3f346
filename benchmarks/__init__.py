"""Measurements, each in one run, with ratios between what is compared."""
