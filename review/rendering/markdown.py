"""Escapes text from a plan for Markdown as GitHub, GitLab and Azure DevOps render it.

Such text is only in code spans and code blocks, where they do not look for mentions, issue references,
links, HTML or emphasis. HTML (`<summary>`) contains fixed texts only.
Source: "GitHub Flavored Markdown Spec", sections "Code spans", "Fenced code blocks" and "Tables".
"""

import re
from collections.abc import Iterable, Sequence

_END = 200
"""Characters of either end of a long address."""
OPEN = 3
"""Pieces of a line that are not folded."""

_BACKTICKS = re.compile("`+")
_ACTION = re.compile("^/", re.MULTILINE)
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_NO_ASCII = re.compile("[^ -~]+")
_UNSEEN = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")
"""Characters that count as printable but are invisible."""


def visible(text: str) -> str:
    """Escapes everything that does not show, or shows elsewhere.

    That is control, bidirectional, zero-width and private characters, lone surrogates, line breaks
    and all spaces but the common one. The result has one line and can be encoded.
    """
    if not text.isprintable():
        text = _NO_ASCII.sub(_escape_unprintable, text)
    if not text.isascii():
        text = _UNSEEN.sub(lambda found: _escaped(found[0]), text)
    return text


def _escape_unprintable(found: re.Match[str]) -> str:
    return "".join(each if each.isprintable() else _escaped(each) for each in found[0])


def code(text: str) -> str:
    """Returns a code span, with more backticks around the text than inside."""
    if not text:
        return "(empty)"
    shown = visible(text)
    around = "`" * _free_run(shown, 1)
    # A span that begins and ends with a space loses both, unless it is all spaces.
    lone = shown.isspace()
    pad = " " if not lone and (shown[0] in "` " or shown[-1] in "` ") else ""
    return f"{around}{pad}{shown}{pad}{around}"


def short(address: str) -> str:
    """Returns an address without its middle if it is very long, since both its ends tell what it is."""
    left = len(address) - 2 * _END
    return address if left <= 0 else f"{address[:_END]} …[{left:,} characters]… {address[-_END:]}"


def address_code(address: str) -> str:
    """Returns an address as a code span."""
    return code(short(address))


def cell(text: str) -> str:
    """Returns a code span for a cell of a table, where a pipe would end the cell.

    A pipe is written as an escape like other characters that cannot be shown: implementations do
    not agree on what a backslash before `\\|` means.
    """
    return code(text).replace("|", "\\u007c")


def fence(text: str, language: str = "") -> str:
    """Returns the lines as a code block, its fence longer than any run of backticks inside.

    What does not show is made visible, line by line. Ends with a line break.
    """
    lines = "\n".join(visible(line) for line in text.split("\n"))
    # GitLab runs a line such as `/merge` as a quick action, in some versions even within a block.
    lines = _ACTION.sub(" /", lines)
    around = "`" * _free_run(lines, 3)
    return f"{around}{language}\n{lines}\n{around}\n"


def path_text(path: tuple[str | int, ...]) -> str:
    """Joins a path within a resource. Names may contain dots, so a dot would mislead."""
    return " \u203a ".join(str(each) for each in path)


def path_list(paths: Iterable[tuple[str | int, ...]]) -> str:
    """Returns paths as code spans."""
    return ", ".join(code(path_text(path)) for path in paths)


def dollars(text: str) -> str:
    """Escapes an amount: `$7` is a snippet for GitLab, and two `$` may be the ends of a formula."""
    return text.replace("$", "\\$")


def number(count: int) -> str:
    """Formats a count: `1,234`."""
    return f"{count:,}"


def counted(count: int, singular: str, plural: str | None = None) -> str:
    """Formats a count and its noun: `1 resource`, `2 resources`."""
    return f"{count:,} {singular if count == 1 else plural or singular + 's'}"


def first(found: Sequence[str], most: int) -> str:
    """Joins the first pieces of a list, and counts the rest: `a, b and 1,234 more`."""
    more = len(found) - most
    return ", ".join(found[:most]) + (f" and {number(more)} more" if more > 0 else "")


def folded(found: Sequence[str], between: str, most: int | None = None) -> str:
    """Joins Markdown within a line; of more than a few pieces, all but the first `OPEN` are folded.

    Those after the first `most` are counted.
    """
    if len(found) <= OPEN + 1:
        return between.join(found)
    left = f" and {number(len(found) - most)} more" if most and len(found) > most else ""
    rest = between.join(found[OPEN:most]) + left
    return (
        f"{between.join(found[:OPEN])}{between}"
        f"<details><summary>{number(len(found) - OPEN)} more</summary>{rest}</details>"
    )


def _escaped(character: str) -> str:
    if character in _SHORT:
        return _SHORT[character]
    point = ord(character)
    return f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"


def _free_run(text: str, least: int) -> int:
    """Returns the length, at least `least`, of the shortest run of backticks that is not in the text."""
    if "`" not in text:
        return least
    return max(least, max(map(len, _BACKTICKS.findall(text))) + 1)
