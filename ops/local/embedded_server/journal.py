"""The requests that an embedded AWS has answered: one JSON document a line, in the order of the answers.

The first line names the versions that wrote it. A line is written whole before its answer goes out,
so a killed process leaves at most one torn line, whose answer nobody has seen: it is cut off when
the file is next opened.
"""

import base64
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class JournalError(Exception):
    """The journal cannot be continued; the text says why."""


@dataclass(frozen=True)
class Entry:
    """One request as it was answered.

    `at` is the time in seconds since the epoch that the request saw, `seed` the seed of its random
    numbers, `answer` the status and a digest of the body.
    """

    at: float
    seed: str
    environ: Mapping[str, Any]
    body: bytes
    answer: str


class Journal:
    """An append-only file of entries that belongs to one process at a time."""

    def __init__(self, path: Path, versions: Mapping[str, str]) -> None:
        """Opens the file, or creates it.

        Raises JournalError if other versions wrote it.
        """
        self._path = path
        self._cut_torn_line()
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._file = os.fdopen(descriptor, "ab", buffering=0)
        if path.stat().st_size == 0:
            self._write({"versions": dict(versions)})
        else:
            with path.open("rb") as file:
                found = _document(1, file.readline()).get("versions")
            if found != versions:
                raise JournalError(f"{path} was written by {found}, this is {dict(versions)}")

    def entries(self) -> Iterator[Entry]:
        """Yields the file's entries, oldest first.

        Raises JournalError for a line that cannot be read.
        """
        with self._path.open("rb") as file:
            next(file)
            for number, line in enumerate(file, start=2):
                document = _document(number, line)
                body = base64.b64decode(document.pop("body"))
                yield Entry(body=body, **document)

    def append(self, entry: Entry) -> None:
        """Appends an entry; the operating system has it when this returns."""
        document = vars(entry) | {"body": base64.b64encode(entry.body).decode()}
        self._write(document)

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def _write(self, document: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(document, separators=(",", ":")).encode() + b"\n")

    def _cut_torn_line(self) -> None:
        if not self._path.exists():
            return
        content = self._path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole != len(content):
            os.truncate(self._path, whole)


def _document(number: int, line: bytes) -> dict[str, Any]:
    try:
        document = json.loads(line)
    except ValueError:
        raise JournalError(f"line {number} is damaged") from None
    if not isinstance(document, dict):
        raise JournalError(f"line {number} is not an entry")
    return document
