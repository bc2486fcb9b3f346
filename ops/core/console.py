"""How commands talk to people: output, errors without tracebacks, exit statuses."""

import functools
import signal
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, ParamSpec, TypeVar

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ops.core.clients import credentials_problem
from ops.core.errors import OpsError
from stacks.reading import SettingsError

console: Final = Console(highlight=False, soft_wrap=True)
complaints: Final = Console(stderr=True, highlight=False, soft_wrap=True)

P = ParamSpec("P")
R = TypeVar("R")

_UNWRAPPED: Final = 1000
"""Columns of a table when the output is not a terminal."""

_PLAN_COLOURS: Final = {"+": "green", "-": "red", "~": "yellow"}


def for_people(command: Callable[P, R]) -> Callable[P, R]:
    """Wraps a command to print errors without a traceback.

    Exit status: 2 for bad input, 1 for a failure, 130 for an interrupt.
    """

    @functools.wraps(command)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _interrupt)
        try:
            return command(*args, **kwargs)
        except SettingsError as error:
            complaints.print(Text(str(error)))
            raise typer.Exit(2) from None
        except OpsError as error:
            complaints.print(Text(str(error), style="red"))
            raise typer.Exit(error.status) from None
        except (ClientError, BotoCoreError) as error:
            complaints.print(Text(credentials_problem(error) or f"AWS: {error}", style="red"))
            raise typer.Exit(1) from None
        except OSError as error:
            complaints.print(Text(str(error), style="red"))
            raise typer.Exit(1) from None
        except KeyboardInterrupt:
            complaints.print("Interrupted.")
            raise typer.Exit(130) from None

    return wrapper


def print_line(line: str) -> None:
    """Prints a line of Terraform's output in the colours of Terraform's plans."""
    console.print(Text(line, style=_PLAN_COLOURS.get(line.lstrip()[:1], "")))


def print_table(table: Table | Text) -> None:
    """Prints a table, as wide as it takes if the output is not a terminal."""
    wide = console if console.is_terminal else Console(width=_UNWRAPPED)
    wide.print(table, soft_wrap=False)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def printable(text: str) -> str:
    """Returns one line of third-party text without characters that would control a terminal."""
    return "".join(character if character.isprintable() else " " for character in text).strip()


def rfc_3339(at: datetime) -> str:
    """Returns a time as text, in UTC and to the second: `2026-11-23T06:25:00Z`."""
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def minutes(seconds: float) -> str:
    """Returns a duration in seconds as text such as `90 s`, `5 min` or `5 min 30 s`."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds % 60 < 1 else f"{seconds // 60:.0f} min {seconds % 60:.0f} s"
