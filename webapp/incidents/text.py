"""The text of incidents: one line, with a character that can be seen, without characters that deceive."""

import re
from typing import Annotated, Final

from pydantic import AfterValidator, Field

_CONTROLS: Final = r"\x00-\x1f\x7f-\x9f\u2028\u2029"
"""Control characters and line ends: Unicode's categories Cc, Zl and Zp."""

_DIRECTIONS: Final = r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
"""They have text read otherwise than it is written: Unicode Standard Annex 9, section 2."""

_INVISIBLE: Final = (
    r"\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200d\u2060-\u2065\u206a-\u206f"
    r"\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8" + "\U000e0000-\U000e0fff"
)
"""Seen only in what they do to others, if at all: Default_Ignorable_Code_Point of the Unicode Character
Database, and the empty pattern of Braille. Those beyond U+FFFF stand as they are: JSON Schema has its
regular expressions from ECMA-262, which writes them otherwise than Python."""

_REFUSED: Final = _CONTROLS + _DIRECTIONS
_ONE_LINE: Final = rf"^[^{_REFUSED}]*[^\s{_REFUSED}{_INVISIBLE}][^{_REFUSED}]*$"
"""For the schema; matching it takes longer the longer the text is, squared."""


def _one_line(text: str) -> str:
    if re.search(f"[{_CONTROLS}]", text):
        raise ValueError("Expected one line, without control characters.")
    if re.search(f"[{_DIRECTIONS}]", text):
        raise ValueError("Expected text without characters that change its direction, such as U+202E.")
    if re.fullmatch(rf"[\s{_INVISIBLE}]*", text):
        raise ValueError("Expected text with a character that can be seen.")
    return text.strip()


Title = Annotated[
    str,
    Field(min_length=1, max_length=120, json_schema_extra={"pattern": _ONE_LINE}),
    AfterValidator(_one_line),
]
"""One line. Blanks around it are dropped, but count."""

Message = Annotated[
    str,
    Field(min_length=1, max_length=2000, json_schema_extra={"pattern": _ONE_LINE}),
    AfterValidator(_one_line),
]
