"""Types of fields that several models have."""

from typing import Annotated, Any, Final, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field

T = TypeVar("T")

LONGEST_CURSOR: Final = 512
_MOST_DIGITS: Final = 9


def _is_given(value: T | None) -> T:
    if value is None:
        raise ValueError("Expected a value. Leave it out rather than say null.")
    return value


def _leave_out_null(schema: dict[str, Any]) -> None:
    """Takes null, and the default that it is, out of a field's schema."""
    schema.pop("default", None)
    choices = [choice for choice in schema.pop("anyOf") if choice != {"type": "null"}]
    schema.update(choices[0] if len(choices) == 1 else {"anyOf": choices})


MayBeLeftOut = Annotated[T | None, AfterValidator(_is_given), Field(json_schema_extra=_leave_out_null)]
"""A field that is None when it is left out, its default, and that nobody can set to null."""


def _whole_number(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS:
        return int(text)
    raise ValueError("Expected a whole number.")


WholeNumber = Annotated[int, BeforeValidator(_whole_number)]
"""A query parameter in decimal digits, without sign or point."""

CursorText = Annotated[str, Field(min_length=1, max_length=LONGEST_CURSOR)]
"""A query parameter that says where a page begins."""

CURSOR: Final = "`next` of the page before; the other parameters, but for limit, as they were."
"""What `CursorText` is, for its description."""
