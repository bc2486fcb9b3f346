"""Terraform: the executable and its providers, working directories, states, plans and applies.

Commands and other packages use `provision` and `phases`; `targets` names the stacks.
"""
