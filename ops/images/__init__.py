"""Images: the container engine, building and pushing."""
