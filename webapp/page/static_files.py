"""The page's own files, read once and served from memory under names that tell their content."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

ASSETS: Final = Path(__file__).parent / "assets"
MEDIA_TYPES: Final[Mapping[str, str]] = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
"""Sources: RFC 2318 (CSS), RFC 9239 (JavaScript), W3C SVG 2, appendix "Media type registration"."""

_DIGITS: Final = 16


@dataclass(frozen=True)
class StaticFile:
    """A file's content, its media type, and the name it is served under: `<stem>.<hash><suffix>`."""

    name: str
    media_type: str
    content: bytes


def read_static_files() -> Mapping[str, StaticFile]:
    """All files of the page by their plain names, such as `page.css`."""
    return {path.name: _read(path) for path in sorted(ASSETS.iterdir())}


def plain_name(name: str) -> str:
    """The plain name of a file that is served under this one: `page.css` of `page.0123456789abcdef.css`."""
    path = PurePosixPath(name)
    return f"{PurePosixPath(path.stem).stem}{path.suffix}"


def _read(path: Path) -> StaticFile:
    content = path.read_bytes()
    name = f"{path.stem}.{hashlib.sha256(content).hexdigest()[:_DIGITS]}{path.suffix}"
    return StaticFile(name, MEDIA_TYPES[path.suffix], content)
