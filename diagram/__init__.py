"""Draws a diagram of an environment: Terraform JSON in, Mermaid out.

Call `diagram`, and `fenced` for Markdown; `DiagramError` says why there is no diagram.
"""

from diagram.configuration import DiagramError
from diagram.mermaid import fenced
from diagram.picture import diagram

__all__ = ["DiagramError", "diagram", "fenced"]
