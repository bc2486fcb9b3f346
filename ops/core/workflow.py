"""What a command hands on to later steps and jobs of a GitHub Actions workflow."""

import os
from pathlib import Path


def set_outputs(**values: str) -> None:
    """Sets outputs of this step, each a single line, if it is a step of a workflow.

    Source: GitHub Docs, "Workflow commands for GitHub Actions", setting an output parameter.
    """
    if output := os.environ.get("GITHUB_OUTPUT"):
        with Path(output).open("a") as opened:
            opened.writelines(f"{name}={value}\n" for name, value in values.items())
