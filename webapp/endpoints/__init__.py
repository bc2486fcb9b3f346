"""What the app answers to requests: one module per group of paths, each with its `ROUTES`."""
