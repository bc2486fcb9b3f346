"""Files that are written whole or not at all."""

import os
import tempfile
from pathlib import Path


def write_aside(path: Path, text: str) -> None:
    """Write a file aside, then swap it in. Raises OSError."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.absolute().parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text.encode())
        Path(name).chmod(_mode(path))
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def append(path: Path, text: str) -> None:
    """Add to a file in one go, on a new line. Raises OSError."""
    with path.open("a+b") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 1))
        start = b"" if file.read(1) in (b"", b"\n") else b"\n"
        file.write(start + text.encode())


def size_of(path: Path) -> int:
    """The bytes of a file, 0 if it is not there. Raises OSError."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _mode(path: Path) -> int:
    """The mode of the file that is replaced, or that of a new file."""
    try:
        return path.stat().st_mode & 0o777
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask
