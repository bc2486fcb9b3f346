"""What tests cost: a pytest plugin that ends a run with the slowest ones and the CPU seconds of each part.

CPU seconds are those of the process that ran the test and of all processes it has waited for.
"""

import os
import time
from collections import defaultdict
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Final

import pytest

from tests.commands import Command
from tests.places import ROOT

_SHOWN: Final = 15
_DAY: Final = 86400

_ALL: Final = ROOT / ".oaktree/tests/costs.tsv"
"""Seconds, CPU seconds and name of each test of the last run."""

PERMISSIONS: Final = ROOT / ".oaktree/tests/permissions"
"""Files of the end-to-end stories: role, action, and whether it was needed."""


@dataclass
class Cost:
    """Seconds by the clock and of the CPU, of setup, call and teardown together."""

    wall: float = 0.0
    cpu: float = 0.0

    def add(self, wall: float, cpu: float) -> None:
        self.wall += wall
        self.cpu += cpu


class Costs:
    """Measures in each worker, adds up where the reports come together."""

    def __init__(self) -> None:
        self._began = time.time()
        self._spent = _cpu_seconds()
        self._tests: defaultdict[str, Cost] = defaultdict(Cost)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Generator[None, Any, Any]:
        report = yield
        spent = _cpu_seconds()
        report.cpu, self._spent = spent - self._spent, spent
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._tests[report.nodeid].add(report.duration, getattr(report, "cpu", 0.0))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        parts: defaultdict[str, Cost] = defaultdict(Cost)
        for test, cost in self._tests.items():
            parts["/".join(test.partition("::")[0].split("/")[:2])].add(cost.wall, cost.cpu)
        _ALL.parent.mkdir(parents=True, exist_ok=True)
        _ALL.write_text(
            "".join(f"{cost.wall:.2f}\t{cost.cpu:.2f}\t{test}\n" for test, cost in self._tests.items())
        )
        slowest = sorted(self._tests.items(), key=lambda item: -item[1].wall)[:_SHOWN]
        for title, rows in ((f"slowest {_SHOWN} tests", slowest), ("parts", sorted(parts.items()))):
            terminalreporter.section(title)
            terminalreporter.line("     s   CPU s")
            for name, cost in rows:
                terminalreporter.line(f"{cost.wall:6.1f}  {cost.cpu:6.1f}  {name}")
        if unused := _unused_permissions(self._began):
            terminalreporter.section("permissions that no story needed")
            for role, actions in unused.items():
                terminalreporter.line(f"{role}: {' '.join(sorted(actions))}")


def _unused_permissions(began: float) -> dict[str, set[str]]:
    """Actions by role that a policy allows, and that no end-to-end story of this run needed."""
    allowed: defaultdict[str, set[str]] = defaultdict(set)
    needed: defaultdict[str, set[str]] = defaultdict(set)
    for file in PERMISSIONS.glob("*.tsv"):
        written = file.stat().st_mtime
        if written < began:
            # Of an earlier run; or this is a run within a test, which leaves alone what others need.
            if written < began - _DAY:
                file.unlink()
            continue
        for line in file.read_text().splitlines():
            role, action, was_needed = line.split("\t")
            allowed[role].add(action)
            needed[role] |= {action} if was_needed else set()
    return {role: unused for role in sorted(allowed) if (unused := allowed[role] - needed[role])}


def _cpu_seconds() -> float:
    times = os.times()
    own = times.user + times.system + times.children_user + times.children_system
    return own + Command.cpu_seconds
