"""Reads the page: an HTML document as a tree that tests can ask."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = frozenset({"img", "input", "link", "meta"})
"""Elements of the page that have no end tag. Source: WHATWG HTML Standard, "Void elements"."""


@dataclass
class Element:
    """An element, its attributes, and what is in it."""

    name: str
    attributes: dict[str, str]
    children: list["Element | str"] = field(default_factory=list)

    def __iter__(self) -> Iterator["Element"]:
        """This element and all below it."""
        yield self
        for child in self.children:
            if isinstance(child, Element):
                yield from child

    @property
    def text(self) -> str:
        """All text in it, with white space as a browser shows it."""
        return " ".join("".join(self._texts()).split())

    def _texts(self) -> Iterator[str]:
        for child in self.children:
            if isinstance(child, str):
                yield child
            else:
                yield from child._texts()

    def all(self, name: str, **attributes: str) -> list["Element"]:
        """The elements in it that have this name and these attributes; `class_` stands for a class."""
        wanted = attributes.pop("class_", None)
        return [
            element
            for element in self
            if element.name == name
            and attributes.items() <= element.attributes.items()
            and (wanted is None or wanted in element.attributes.get("class", "").split())
        ]

    def one(self, name: str, **attributes: str) -> "Element":
        """The only such element."""
        (element,) = self.all(name, **attributes)
        return element

    def by_id(self, identifier: str) -> "Element":
        """The only element with this id."""
        (element,) = (element for element in self if element.attributes.get("id") == identifier)
        return element


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open = [Element("", {})]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"<{tag}> has an attribute twice: {names}"
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        element = self.open.pop()
        assert element.name == tag, f"</{tag}> ends <{element.name}>"

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def read_page(html: str) -> Element:
    """The document's root; fails when an element is not closed or closes another."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    (root,) = reader.open
    return root
