"""Shows how far a command with several phases is."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

_WIDTH: Final = 22
"""Columns for a phase's name."""


class Phase:
    """A phase that is running."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.detail = ""
        self.result = "done"
        self._started = time.monotonic()

    def __rich__(self) -> Spinner:
        return Spinner("dots", self.line(self.detail))

    def line(self, words: str) -> Text:
        """Returns a line with the phase's name, the seconds since it began, and `words`."""
        seconds = f"{time.monotonic() - self._started:5.0f} s"
        return Text.assemble((f"{self.name:<{_WIDTH}}", "bold"), (seconds, "dim"), "  ", words)


class Progress:
    """Phases in sequence: a live line for the current one, a permanent line for each that ended.

    Without a terminal it prints the permanent lines only.
    """

    def __init__(self, console: Console) -> None:
        self._console = console

    @property
    def live(self) -> bool:
        """Whether the detail of a running phase is visible."""
        return self._console.is_terminal

    @contextmanager
    def phase(self, name: str) -> Iterator[Phase]:
        """Shows a phase while the block runs, then a line with the `result` that the block has set."""
        phase = Phase(name)
        try:
            with (
                Live(
                    phase, console=self._console, refresh_per_second=5, transient=True, redirect_stderr=False
                )
                if self._console.is_terminal
                else _nothing()
            ):
                yield phase
        except KeyboardInterrupt:
            self._end(phase, "-", "yellow", "interrupted")
            raise
        except BaseException:
            self._end(phase, "x", "red", "failed")
            raise
        self._end(phase, "+", "green", phase.result)

    def _end(self, phase: Phase, mark: str, colour: str, words: str) -> None:
        line = Text.assemble((mark, colour), " ", phase.line(words))
        self._console.print(line, soft_wrap=True, highlight=False)


@contextmanager
def _nothing() -> Iterator[None]:
    yield
