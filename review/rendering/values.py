"""Renders values as text: on one line, clipped around a difference, or over several lines."""

import difflib
import json
import re
from collections.abc import Iterator
from itertools import chain
from json.encoder import encode_basestring

from review.model import ABSENT, UNKNOWN, Document, Masked, Tree
from review.rendering.markdown import counted, visible

SENSITIVE = "(sensitive)"
CHANGED = "(sensitive, changed)"
LATER = "(known after apply)"
NOTHING = "(none)"

INLINE = 160
"""Characters of a value that stands within a line."""

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


def pair(before: Tree, after: Tree, limit: int) -> tuple[str, str]:
    """Returns two values that differ on one line each, cut to `limit` around the first difference."""
    if isinstance(before, Masked) and isinstance(after, Masked):
        return SENSITIVE, CHANGED if before.mark != after.mark else SENSITIVE
    old, new = show(before), show(after)
    if old == new:
        # Only masked values can differ here.
        differs = list(_marks(before)) != list(_marks(after))
        return clip(old, 0, limit), f"{clip(new, 0, limit)}{f' {CHANGED}' if differs else ''}"
    if max(len(old), len(new)) > limit:
        shorter = _short_digests(old), _short_digests(new)
        # Digests with the same beginning stay long.
        old, new = shorter if shorter[0] != shorter[1] else (old, new)
    start = _first_difference(old, new)
    return clip(old, start, limit), clip(new, start, limit)


def _marks(tree: Tree) -> Iterator[bytes]:
    """Yields the marks of everything masked in a value."""
    match tree:
        case Masked():
            yield tree.mark
        case Document():
            yield from _marks(tree.content)
        case dict():
            yield from chain.from_iterable(map(_marks, tree.values()))
        case list():
            yield from chain.from_iterable(map(_marks, tree))


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
            lines += [f"-   {line}" for line in old[i1:i2]]
            lines += [f"+   {line}" for line in new[j1:j2]]
    return lines


def _equal(lines: list[str], *, first: bool, last: bool) -> list[str]:
    """Returns equal lines; only two beside each difference, the rest counted."""
    head = 0 if first else 2
    tail = 0 if last else 2
    hidden = len(lines) - head - tail
    if hidden <= 1:
        return [f"    {line}" for line in lines]
    end = len(lines) - tail
    return [
        *(f"    {line}" for line in lines[:head]),
        f"    … {counted(hidden, 'equal line')} …",
        *(f"    {line}" for line in lines[end:]),
    ]


def _compact(tree: Tree) -> str:
    match tree:
        case str():
            return encode_basestring(tree)
        case Masked():
            return SENSITIVE
        case Document():
            return _compact(tree.content)
        case dict():
            pairs = [f"{encode_basestring(key)}: {_compact(value)}" for key, value in tree.items()]
            return f"{{{', '.join(pairs)}}}"
        case list():
            return f"[{', '.join(map(_compact, tree))}]"
        case _ if tree is UNKNOWN:
            return LATER
        case _ if tree is ABSENT:
            return NOTHING
        case _:
            return json.dumps(tree)
