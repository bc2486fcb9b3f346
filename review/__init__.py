"""What a plan does, in words that a reviewer can trust: Terraform's JSON in, Markdown and a verdict out."""
