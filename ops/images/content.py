"""The content that an image is built from: its files, and a hash of all that decides what is built."""

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from ops.core.errors import UsageError
from stacks.images import Image as Source

TAG_PREFIX: Final = "content-"
"""What the tag that names an image's content begins with; it cannot be taken for a commit."""

_VERSION: Final = b"1"
"""Part of every hash; a change of what is hashed changes it."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A line of an ignore file, for paths relative to the context."""

    path: str
    excludes: bool

    def matches(self, path: str) -> bool:
        """Whether it matches a path or a directory that the path is in."""
        expression = _expression(self.path)
        parts = path.split("/")
        return any(expression.fullmatch("/".join(parts[:count])) for count in range(1, len(parts) + 1))

    def may_match_in(self, directory: str) -> bool:
        """Whether it may match something in a directory that it does not match itself."""
        for own, part in zip(self.path.split("/"), directory.split("/"), strict=False):
            if own == "**":
                return True
            if not _expression(own).fullmatch(part):
                return False
        return self.path.count("/") > directory.count("/")


def patterns(lines: Sequence[str]) -> tuple[Pattern, ...]:
    """Returns the patterns of an ignore file.

    Source: Docker, "Build context", `.dockerignore` files.
    """
    found = []
    for line in lines:
        text = line.strip()
        if line.startswith("#") or not text:
            continue
        excludes = not text.startswith("!")
        path = os.path.normpath(text.removeprefix("!").strip()).lstrip("/")
        if path != ".":
            found.append(Pattern(path, excludes))
    return tuple(found)


def is_ignored(path: str, ignore: Sequence[Pattern]) -> bool:
    """Whether a build does not see a path: the last pattern that matches it decides."""
    return next((each.excludes for each in reversed(ignore) if each.matches(path)), False)


def ignore_file(root: Path, source: Source) -> Path:
    """Returns the ignore file of a build: the Dockerfile's own if it has one, else the context's."""
    own = root / f"{source.dockerfile}.dockerignore"
    return own if own.exists() else root / source.context / ".dockerignore"


def read_ignore(root: Path, source: Source) -> tuple[Pattern, ...]:
    """Returns what a build ignores; nothing if there is no ignore file."""
    file = ignore_file(root, source)
    return patterns(file.read_text().splitlines()) if file.exists() else ()


def paths(root: Path, source: Source) -> tuple[Path, Path]:
    """Returns the context and the Dockerfile.

    Raises UsageError if one of them does not exist.
    """
    context, dockerfile = root / source.context, root / source.dockerfile
    if not dockerfile.is_file():
        raise UsageError(
            f"services.{source.name}.dockerfile = '{source.dockerfile}': {root} has no such file. A path "
            "begins at the root of the repository."
        )
    if not context.is_dir():
        raise UsageError(f"services.{source.name}.context = '{source.context}': {root} has no such folder.")
    return context, dockerfile


def content_tag(root: Path, source: Source) -> str:
    """Returns the tag of an image by its content: the same content has the same tag, on every machine.

    It is a hash of the Dockerfile, of the files in the context that the build sees (paths, bytes, whether
    they may be executed, where links lead), of target, build arguments and architecture. Times and
    owners are no part of it, nor are base images: pin them by digest, so that the Dockerfile changes with
    them.

    Raises the errors of `paths`.
    """
    context, dockerfile = paths(root, source)
    digest = hashlib.sha256(_VERSION)
    options = [source.target or "", source.architecture]
    options += [f"{name}={value}" for name, value in sorted(source.build_args.items())]
    for part in (dockerfile.read_bytes(), *(option.encode() for option in options)):
        _add(digest, part)
    ignore = read_ignore(root, source)
    for path in sorted(_seen(context, "", ignore)):
        _add(digest, path.encode("utf-8", "surrogateescape"))
        _add(digest, _content(context / path))
    return f"{TAG_PREFIX}{digest.hexdigest()}"


def _seen(context: Path, directory: str, ignore: Sequence[Pattern]) -> Iterator[str]:
    """Yields the files and links in a directory of the context that a build sees."""
    with os.scandir(context / directory) as entries:
        for entry in entries:
            path = f"{directory}/{entry.name}" if directory else entry.name
            ignored = is_ignored(path, ignore)
            if entry.is_dir(follow_symlinks=False):
                if not ignored or any(not each.excludes and each.may_match_in(path) for each in ignore):
                    yield from _seen(context, path, ignore)
            elif not ignored:
                yield path


def _content(file: Path) -> bytes:
    if file.is_symlink():
        return b"link " + os.fsencode(file.readlink())
    if not file.is_file():
        return b"special"
    kind = b"executable " if file.stat().st_mode & 0o111 else b"file "
    return kind + hashlib.sha256(file.read_bytes()).digest()


def _add(digest: "hashlib._Hash", part: bytes) -> None:
    """Adds a part with its length, so that no two lists of parts have the same hash."""
    digest.update(len(part).to_bytes(8, "big"))
    digest.update(part)


@cache
def _expression(pattern: str) -> re.Pattern[str]:
    """Returns a pattern as a regular expression of whole paths.

    Source: Go, `path/filepath.Match`; Docker, "Build context", the wildcard `**`.
    """
    found, index = "", 0
    while index < len(pattern):
        if pattern.startswith("**/", index):
            found, index = found + "(?:.*/)?", index + 3
        elif pattern.startswith("**", index):
            found, index = found + ".*", index + 2
        elif pattern[index] == "[" and (end := pattern.find("]", index + 2)) > 0:
            inner = pattern[index + 1 : end].replace("\\", "\\\\").replace("[", "\\[")
            found, index = f"{found}[{inner}]", end + 1
        elif pattern[index] == "\\" and index + 1 < len(pattern):
            found, index = found + re.escape(pattern[index + 1]), index + 2
        else:
            found += {"*": "[^/]*", "?": "[^/]"}.get(pattern[index], re.escape(pattern[index]))
            index += 1
    try:
        return re.compile(found, re.DOTALL)
    except re.error:
        raise UsageError(f"{pattern} is not a pattern of an ignore file.") from None
