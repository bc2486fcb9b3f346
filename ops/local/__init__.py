"""The platform on this machine: the embedded AWS with its mends, and the apps that run beside it.

`up.up` and `up.down` start and remove all of it; `stand_in` runs an app in place of ECS.
"""
