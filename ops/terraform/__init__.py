"""Terraform: the binary and its providers, working directories, states, plans and applies.

`provision` and `phases` are for commands and other rooms; `targets` says which stacks there are.
"""
