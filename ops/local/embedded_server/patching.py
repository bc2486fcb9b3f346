"""How mends change moto: methods and attributes of its classes, and what they keep on its objects."""

from collections.abc import Callable
from types import ModuleType
from typing import Any, TypeVar

Kept = TypeVar("Kept")


def patch(owner: type | ModuleType, *functions: Callable[..., Any], **attributes: object) -> None:
    """Sets functions by their own names, and attributes by the names they are given."""
    for function in functions:
        setattr(owner, function.__name__, function)
    for name, value in attributes.items():
        setattr(owner, name, value)


def kept(owner: object, name: str, first: Kept) -> Kept:
    """Returns what is kept on an object of moto, which is `first` to begin with."""
    found: Kept = vars(owner).setdefault(name, first)
    return found
