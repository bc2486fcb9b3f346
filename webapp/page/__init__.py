"""The status page: views of a snapshot, words, templates and assets."""
