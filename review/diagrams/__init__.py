"""Pictures of an environment: from Terraform JSON to what is in it, and from that to Mermaid."""
