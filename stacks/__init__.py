"""The platform: settings in, Terraform JSON out."""
