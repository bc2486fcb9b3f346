"""One construct, one file: each takes settings and other constructs and exposes what others need."""
