"""What the shop sells."""

from typing import Final

PRODUCTS: Final = {
    "acorn-mug": "Mug with an acorn",
    "leaf-notebook": "Notebook, 96 pages",
    "oak-pencil": "Pencil of oak",
}
"""The names of the products by their ids."""
