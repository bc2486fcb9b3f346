"""The status page: its views, wording, templates and assets."""
