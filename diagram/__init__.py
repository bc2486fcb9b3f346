"""A picture of an environment: Terraform JSON in, Mermaid out.

Call `diagram`, and `fenced` for Markdown; `DiagramError` says in words why there is no picture.
"""

from diagram.configuration import DiagramError
from diagram.mermaid import fenced
from diagram.picture import diagram

__all__ = ["DiagramError", "diagram", "fenced"]
