"""Fails whatever reads the user's `environments/`: tests have settings of their own.

`tests/conftest.py` imports this into pytest and puts its folder on `PYTHONPATH`. Python imports a module of
this name as it starts, so this guards the programs that tests run, too.
"""

import os
import sys
from pathlib import Path
from typing import Any, Final

_USERS: Final = Path(__file__).resolve().parents[2] / "environments"


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    # `os.open` has no mode, and may mean another directory than the current one: shutil.rmtree does.
    if event not in ("os.listdir", "os.scandir") and (event != "open" or arguments[1] is None):
        return
    path = os.fsdecode(arguments[0]) if isinstance(arguments[0], (str, bytes, os.PathLike)) else ""
    if _USERS.name in path and Path(path).resolve().is_relative_to(_USERS):
        raise AssertionError(f"{path} belongs to the user; tests read tests.places.ENVIRONMENTS")


sys.addaudithook(_refuse)
