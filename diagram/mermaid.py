"""Writes a flowchart in Mermaid, which GitHub draws.

Source: Mermaid's documentation, "Flowcharts - Basic Syntax".
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

_PLAIN: Final = re.compile(r"[A-Za-z0-9 .,:/@+-]")
_SHAPES: Final = {
    "box": ('["', '"]'),
    "round": ('("', '")'),
    "pill": ('(["', '"])'),
    "store": ('[("', '")]'),
}
# Mermaid looks for formulas, line breaks and icons after it has decoded entities, so a zero-width space
# separates their characters.
_READ_AS_MORE: Final = re.compile(r"(?<=\$)(?=\$)|(?<=\\)(?=n)|(?<=:)(?=fa-)")
_LONGEST: Final = 72

TO: Final = "-->"
BOTH_WAYS: Final = "<-->"
DOTTED: Final = "-.->"


class Chart:
    """A flowchart from top to bottom, built in the order of the calls.

    Escapes every text, so that it cannot end a label or be read as Mermaid, Markdown or HTML.
    Keys are free text; each identifies one node or group.
    """

    def __init__(self, title: str, description: str, styles: Mapping[str, str]) -> None:
        # Wide enough for a zone with its range, and for most names, on one line.
        config = '%%{init: {"flowchart": {"wrappingWidth": 260}}}%%'
        self._lines = [
            config,
            "flowchart TB",
            f"  accTitle: {label(title)}",
            f"  accDescr: {label(description)}",
        ]
        self._styles = styles
        self._ids: dict[str, str] = {}
        self._styled: dict[str, list[str]] = {}
        self._depth = 1

    def node(self, key: str, *lines: str, shape: str = "box") -> None:
        """Adds a node with its lines of text; the first one is bold."""
        first, *rest = lines
        start, end = _SHAPES[shape]
        content = "<br/>".join([f"<b>{label(first)}</b>", *map(label, rest)])
        self._add(f"{self._id(key, 'node')}{start}{content}{end}")

    @contextmanager
    def group(self, key: str, title: str, style: str = "") -> Iterator[None]:
        """Frames what is drawn inside the `with` block."""
        self._add(f'subgraph {self._id(key, style)}["{label(title)}"]')
        self._depth += 1
        yield
        self._depth -= 1
        self._add("end")

    def edge(self, start: str, end: str, text: str = "", arrow: str = TO) -> None:
        """Adds an arrow between two nodes."""
        words = f'|"{label(text)}"|' if text else ""
        self._add(f"{self._id(start)} {arrow}{words} {self._id(end)}")

    def below(self, upper: Sequence[str], lower: Sequence[str]) -> None:
        """Places the lower nodes below the upper ones, without an arrow."""
        rows = [" & ".join(self._id(key) for key in keys) for keys in (upper, lower)]
        self._add(" ~~~ ".join(rows))

    def text(self) -> str:
        """Returns the whole chart, ending with a line break."""
        used = [name for name in self._styles if self._styled.get(name)]
        styles = [f"  classDef {name} {self._styles[name]}" for name in used]
        styles += [f"  class {','.join(self._styled[name])} {name}" for name in used]
        return "\n".join([*self._lines, *styles]) + "\n"

    def _add(self, line: str) -> None:
        self._lines.append("  " * self._depth + line)

    def _id(self, key: str, style: str = "") -> str:
        if key not in self._ids:
            taken = set(self._ids.values())
            wanted = "n_" + re.sub(r"[^A-Za-z0-9]+", "_", key)
            number = 1
            while (found := wanted if number == 1 else f"{wanted}_{number}") in taken:
                number += 1
            self._ids[key] = found
        if style:
            self._styled.setdefault(style, []).append(self._ids[key])
        return self._ids[key]


def label(text: str) -> str:
    """Escapes text for a quoted label, all but plain characters as entity codes, and shortens it."""
    text = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    text = _READ_AS_MORE.sub("\u200b", text)
    text = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
    return "".join(each if _PLAIN.fullmatch(each) else f"#{ord(each)};" for each in text) or "#8203;"


def fenced(chart: str) -> str:
    """Returns a chart as a code block in Markdown."""
    return f"```mermaid\n{chart}```\n"
