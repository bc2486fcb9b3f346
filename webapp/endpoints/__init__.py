"""The app's endpoints: one module per group of paths, each with its `OPERATIONS`."""
