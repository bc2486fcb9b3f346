"""The embedded AWS's process: moto's server with a memory that lasts, and what moto lacks."""
