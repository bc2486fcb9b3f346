"""Renders values as text: on one line, clipped around a difference, or over several lines."""

import difflib
import json
import re
from itertools import chain, zip_longest
from json.encoder import encode_basestring

from review.model import ABSENT, UNKNOWN, Document, Masked, Tree
from review.rendering.markdown import counted, visible

SENSITIVE = "(sensitive)"
CHANGED = "(sensitive, changed)"
LATER = "(known after apply)"
NOTHING = "(none)"

INLINE = 160
"""Characters of a value that stands within a line."""

LINE = 400
"""Characters of a line of a text that has several."""

_DIGEST = re.compile("(@sha256:[0-9a-f]{12})[0-9a-f]{52}(?![0-9a-f])")

_LONGEST_TEXT = 400
"""The most lines of a text to compare line by line, which may take quadratic time."""


def show(tree: Tree, limit: int = 0) -> str:
    """Returns the value on one line, much as JSON; placeholders stand without quotes.

    With a `limit`, longer text is cut after so many characters, and the rest counted.
    """
    text = visible(_compact(tree))
    if not limit or len(text) <= limit:
        return text
    return clip(_short_digests(text), 0, limit)


def plain(tree: Tree, limit: int = INLINE) -> str:
    """Returns the value on one line as `show` does, a string without its quotes."""
    return clip(visible(tree), 0, limit) if isinstance(tree, str) else show(tree, limit)


def pair(before: Tree, after: Tree, limit: int) -> tuple[str, str]:
    """Returns two values that differ on one line each, cut to `limit` around the first difference."""
    return clipped(show(before), visible(_compact(after, before)), limit)


def clipped(old: str, new: str, limit: int) -> tuple[str, str]:
    """Returns two lines cut to `limit` around the first difference."""
    if max(len(old), len(new)) > limit:
        shorter = _short_digests(old), _short_digests(new)
        # Digests with the same beginning stay long.
        old, new = shorter if shorter[0] != shorter[1] else (old, new)
    start = _first_difference(old, new)
    return clip(old, start, limit), clip(new, start, limit)


def _short_digests(text: str) -> str:
    """Cuts digests of images to twelve digits, so that repositories stay visible."""
    return _DIGEST.sub(r"\1…", text)


def _first_difference(one: str, other: str) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((index for index, (a, b) in pairs if a != b), min(len(one), len(other)))


def clip(text: str, around: int, limit: int) -> str:
    """Cuts the text to `limit` characters, from a little before `around`; counts what is cut."""
    if len(text) <= limit:
        return text
    start = max(0, min(around - limit // 3, len(text) - limit))
    end = start + limit
    left = f"[{start:,} characters]… " if start else ""
    right = f" …[{len(text) - end:,} characters]" if end < len(text) else ""
    return f"{left}{text[start:end]}{right}"


def pretty(tree: Tree, width: int, indent: str = "", first: int = 0) -> list[str]:
    """Spreads the value over as many lines as the width requires.

    `first` is how many characters precede the first line.
    """
    line = show(tree)
    if len(indent) + first + len(line) <= width:
        return [indent + line]
    if isinstance(tree, Document):
        return pretty(tree.content, width, indent, first)
    deeper = indent + "  "
    lines: list[str] = []
    if isinstance(tree, dict):
        for key, value in tree.items():
            name = visible(encode_basestring(key))
            line, *others = pretty(value, width, deeper, len(name))
            lines += [f"{deeper}{name}: {line.lstrip()}", *others]
        return [indent + "{", *lines, indent + "}"]
    if isinstance(tree, list):
        return [
            indent + "[",
            *chain.from_iterable(pretty(each, width, deeper) for each in tree),
            indent + "]",
        ]
    return [indent + clip(line, 0, width)]


def text_difference(before: str, after: str) -> list[str] | None:
    """Compares two multi-line texts by line, each line with `-`, `+` or a space in front.

    None if they are not of several lines, or too long for such a comparison.
    """
    if "\n" not in before or "\n" not in after:
        return None
    old, new = before.split("\n"), after.split("\n")
    if max(len(old), len(new)) > _LONGEST_TEXT:
        return None
    lines: list[str] = []
    for kind, i1, i2, j1, j2 in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            lines += _equal(old[i1:i2], first=i1 == 0, last=i2 == len(old))
        else:
            pairs = list(zip_longest(old[i1:i2], new[j1:j2]))
            lines += [f"-   {_line(line, other)}" for line, other in pairs if line is not None]
            lines += [f"+   {_line(line, other)}" for other, line in pairs if line is not None]
    return lines


def _line(line: str, other: str | None) -> str:
    """Cuts a long line around what differs from another."""
    return clip(line, _first_difference(line, other) if other else 0, LINE)


def _equal(lines: list[str], *, first: bool, last: bool) -> list[str]:
    """Returns equal lines; only two beside each difference, the rest counted."""
    head = 0 if first else 2
    tail = 0 if last else 2
    hidden = len(lines) - head - tail
    if hidden <= 1:
        return [f"    {clip(line, 0, LINE)}" for line in lines]
    end = len(lines) - tail
    return [
        *(f"    {clip(line, 0, LINE)}" for line in lines[:head]),
        f"    … {counted(hidden, 'equal line')} …",
        *(f"    {clip(line, 0, LINE)}" for line in lines[end:]),
    ]


def _compact(tree: Tree, former: Tree = ABSENT) -> str:
    """Returns a value as JSON; what is masked says that it changed if `former` has another one there."""
    match tree:
        case str():
            return encode_basestring(tree)
        case Masked():
            return CHANGED if isinstance(former, Masked) and former.mark != tree.mark else SENSITIVE
        case Document():
            return _compact(tree.content, former.content if isinstance(former, Document) else former)
        case dict():
            others = former if isinstance(former, dict) else {}
            told = (f"{encode_basestring(key)}: {_compact(tree[key], others.get(key))}" for key in tree)
            return f"{{{', '.join(told)}}}"
        case list():
            rest = former if isinstance(former, list) and len(former) == len(tree) else [ABSENT] * len(tree)
            return f"[{', '.join(map(_compact, tree, rest))}]"
        case _ if tree is UNKNOWN:
            return LATER
        case _ if tree is ABSENT:
            return NOTHING
        case _:
            return json.dumps(tree)
