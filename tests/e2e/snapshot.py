"""A platform that is applied: made once in a test run, and copied for each module that begins with it.

What is kept is a directory in which an embedded AWS ran: its journal, which has Terraform's states too,
and all that commands left. A copy's own embedded AWS answers the journal again, in three CPU seconds for
five hundred requests where an apply takes minutes.
"""

import os
import shutil
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from ops.core.files import exclusive
from ops.local.embedded import start_embedded

_OF_ITS_PLACE = (
    # Links into the plugin cache of the directory that was copied; every command runs `init`.
    ".terraform",
    "plugin-cache*",
    # Processes that do not run here, and the ports that they had.
    "*.pid",
    "embedded.json",
    "app-*.json",
    "database-*.json",
    "logs",
    # Data of PostgreSQL, which nobody but its owner may start with. The copy begins with an empty one.
    "databases",
)


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """The directory that `make` fills, in this test run or, beside this one, in that of another worker.

    Whoever comes first makes it, the others wait. What failed is not tried again.
    """
    base = factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    directory, made, failed = (shared / f"{name}{suffix}" for suffix in ("", ".made", ".failed"))
    with exclusive(shared / f"{name}.lock"):
        if failed.exists():
            pytest.fail(f"{name} could not be made:\n{failed.read_text()}", pytrace=False)
        if not made.exists():
            try:
                make(directory)
            except BaseException:
                failed.write_text(traceback.format_exc())
                raise
            made.touch()
    return directory


def copy(directory: Path, to: Path, account_id: str) -> None:
    """Copy a directory, and start the embedded AWS that it has in `.oaktree/local`.

    It says the same as the one that was copied, or the test fails.
    """
    shutil.copytree(
        directory, to, symlinks=True, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*_OF_ITS_PLACE)
    )
    memory = to / ".oaktree/local"
    start_embedded(memory, account_id)
    assert "differently" not in (memory / "logs/embedded.log").read_text()
