"""A person's desk: a directory with settings, the project's commands, and an embedded AWS."""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ops.local.embedded import Embedded, find_embedded
from ops.terraform.binary import find_terraform
from tests import commands

REGION = "eu-central-1"


@dataclass(frozen=True)
class Change:
    """What a plan does to one resource."""

    address: str
    actions: tuple[str, ...]
    changed: tuple[str, ...]
    """Top-level attributes that differ."""


@dataclass(frozen=True)
class Desk:
    """Runs the project's commands on the settings in `directory`."""

    directory: Path

    def ops(
        self, *arguments: str, typed: str = "", variables: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run one of the commands behind the make targets; `typed` is what a person types."""
        located = (*arguments, "--directory", str(self.directory))
        return commands.run(located, variables or os.environ, answer=typed)

    def ops_here(self, account_id: str, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        """The same against the embedded AWS, as one of its accounts."""
        variables = self.embedded.environment(account_id, REGION, os.environ)
        return self.ops(*arguments, typed=typed, variables=variables)

    def terraform(
        self, stack: str | Path, account_id: str, *arguments: str
    ) -> subprocess.CompletedProcess[str]:
        """Run Terraform itself in a stack's working directory, or any other."""
        terraform = find_terraform(self.directory / ".oaktree")
        return subprocess.run(
            [str(terraform.executable), *arguments, "-no-color"],
            cwd=self.directory / ".oaktree/local" / stack,
            env=self.embedded.environment(account_id, REGION, terraform.environment(os.environ)),
            capture_output=True,
            text=True,
            check=False,
        )

    def changes(self, stack: str) -> list[Change]:
        """What the saved plan of a stack does."""
        plan = json.loads((self.directory / ".oaktree/local" / stack / "plan.json").read_text())
        return [
            _change(item)
            for item in plan["resource_changes"]
            if item["mode"] == "managed" and item["change"]["actions"] != ["no-op"]
        ]

    @property
    def embedded(self) -> Embedded:
        """The embedded AWS that runs here."""
        found = find_embedded(self.directory / ".oaktree/local")
        assert found
        return found


def succeeded(done: subprocess.CompletedProcess[str]) -> bool:
    """Whether a command ended well; prints the end of what it said when it did not."""
    if done.returncode:
        print(done.stdout[-3000:], done.stderr[-3000:], sep="\n")
    return done.returncode == 0


def _change(item: dict[str, Any]) -> Change:
    before, after = item["change"]["before"] or {}, item["change"]["after"] or {}
    unknown = item["change"]["after_unknown"] or {}
    changed = tuple(
        sorted(
            key
            for key in before.keys() | after.keys()
            if before.get(key) != after.get(key) or _holds_true(unknown.get(key))
        )
    )
    return Change(item["address"], tuple(item["change"]["actions"]), changed)


def _holds_true(tree: object) -> bool:
    """Whether a tree of unknown values has one; what is known stands in it as false or empty."""
    match tree:
        case dict():
            return any(map(_holds_true, tree.values()))
        case list():
            return any(map(_holds_true, tree))
    return bool(tree)
