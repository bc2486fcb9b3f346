"""Images: the container engine, building, publishing and pushing."""
