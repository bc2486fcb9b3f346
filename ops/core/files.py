"""Files: locks that are released when their process ends, JSON, and content that is swapped in as a whole."""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ops.core.errors import OpsError


@contextmanager
def exclusive(path: Path, refusal: str | None = None) -> Iterator[None]:
    """Holds a lock file while the block runs.

    Waits for the lock. With `refusal`, raises OpsError at once instead if another process holds it,
    with that text and the process id of the holder.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (fcntl.LOCK_NB if refusal else 0))
        except BlockingIOError:
            file.seek(0)
            raise OpsError(f"{refusal} (process {file.read().strip() or 'unknown'})") from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


@contextmanager
def directory_locked(path: Path) -> Iterator[None]:
    """Waits for the lock on a directory and holds it while the block runs, without writing there."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def read_json(path: Path) -> dict[str, Any]:
    """Returns the JSON object in a file, or an empty one if there is no file, or none with JSON in it."""
    try:
        content: dict[str, Any] = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return content


def swap_in(path: Path, content: bytes) -> None:
    """Writes a file aside, then swaps it in; it keeps the mode of the file that was there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        aside.write_bytes(content)
        if path.exists():
            shutil.copymode(path, aside)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def write_private(path: Path, content: bytes) -> None:
    """Writes a file that only its owner can read, also while it is being written, and then swaps it in."""
    aside = path.with_name(f"{path.name}.new")
    aside.unlink(missing_ok=True)
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
        opened.write(content)
    aside.replace(path)
