"""ASGI middleware around the app, one layer a module."""
