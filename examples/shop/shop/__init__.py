"""A small shop: its web service, its worker and its nightly job."""
