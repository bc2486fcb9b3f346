"""The whole life of a platform, with the real Terraform on the embedded AWS."""
