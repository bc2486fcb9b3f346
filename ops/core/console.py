"""How commands talk to people: output, errors in words, exit statuses."""

import functools
import signal
from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.text import Text

from ops.core.errors import OpsError
from stacks.reading import SettingsError

console: Final = Console(highlight=False, soft_wrap=True)
complaints: Final = Console(stderr=True, highlight=False, soft_wrap=True)

P = ParamSpec("P")
R = TypeVar("R")

_PLAN_COLOURS: Final = {"+": "green", "-": "red", "~": "yellow"}


def for_people(command: Callable[P, R]) -> Callable[P, R]:
    """Tell what goes wrong in words: exit status 2 for bad input, 1 for a failure, 130 for an interrupt."""

    @functools.wraps(command)
    def told(*args: P.args, **kwargs: P.kwargs) -> R:
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
            complaints.print(Text(f"AWS: {error}", style="red"))
            raise typer.Exit(1) from None
        except OSError as error:
            complaints.print(Text(str(error), style="red"))
            raise typer.Exit(1) from None
        except KeyboardInterrupt:
            complaints.print("Interrupted.")
            raise typer.Exit(130) from None

    return told


def print_line(line: str) -> None:
    """Print a line of Terraform's, coloured as in its own plans."""
    console.print(Text(line, style=_PLAN_COLOURS.get(line.lstrip()[:1], "")))


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


"""Foreign text and figures, for people."""


def printable(text: str) -> str:
    """One line of a foreign text without what would steer a terminal."""
    return "".join(character if character.isprintable() else " " for character in text).strip()


def minutes(seconds: float) -> str:
    """A duration for a person."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds % 60 < 1 else f"{seconds // 60:.0f} min {seconds % 60:.0f} s"
