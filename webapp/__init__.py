"""The status service: a Starlette application that shows the health of the platform it runs on."""
