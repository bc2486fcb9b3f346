"""A clone of this repository as somebody has it on a desk, with its make targets and an embedded AWS."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from ops.core.checkout import SOURCE
from ops.local.embedded import Embedded, find_embedded, start_embedded
from tests.e2e import calls, snapshot
from tests.e2e.desk import REGION
from tests.places import ENVIRONMENTS
from webapp.contract import STATUS_PATH
from webapp.endpoints.status import OPERATOR_STATUS_PATH


@dataclass(frozen=True)
class Clone:
    """Runs make targets in `directory`; `variables` are added to this process's own.

    `first` is how many requests its embedded AWS had answered before.
    """

    directory: Path
    variables: Mapping[str, str]
    first: int = 0

    def make(
        self, account_id: str, *arguments: str, typed: str = "", **variables: str
    ) -> "subprocess.CompletedProcess[str]":
        """Run a target with credentials of an account of the embedded AWS; `typed` is what a person types."""
        return subprocess.run(
            ["make", *arguments],
            cwd=self.directory,
            env=self.environment(account_id) | variables,
            input=typed,
            capture_output=True,
            text=True,
            check=False,
        )

    def begin(self, account_id: str, *arguments: str, **variables: str) -> "subprocess.Popen[str]":
        """Begin a target."""
        return subprocess.Popen(
            ["make", *arguments],
            cwd=self.directory,
            env=self.environment(account_id) | variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def environment(self, account_id: str) -> dict[str, str]:
        """The variables of a shell that `make local-env` points to an account."""
        # What make sets for the make that runs these tests must not reach this one.
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
        return self.embedded.environment(account_id, REGION, kept) | dict(self.variables)

    def commit(self, message: str) -> str:
        """Commit everything that is there; returns the commit."""
        self._git("add", "--all")
        self._git("commit", "--quiet", "--allow-empty", "--message", message)
        return self._git("rev-parse", "HEAD")

    def edit(self, file: str, old: str, new: str) -> None:
        """Replace a text that is in a file."""
        path = self.directory / file
        text = path.read_text()
        assert old in text, (file, old)
        path.write_text(text.replace(old, new))

    def app_says(self, env: str) -> dict[str, Any]:
        """The status document of an environment's app."""
        content: dict[str, Any] = json.loads(self.page(env, "web", STATUS_PATH))
        return content

    def app_tells_operators(self, env: str, token: str) -> dict[str, Any]:
        """The status document for those who have the app's token."""
        headers = {"Authorization": f"Bearer {token}"}
        answer = httpx.get(self.address(env, "web") + OPERATOR_STATUS_PATH, headers=headers)
        content: dict[str, Any] = answer.raise_for_status().json()
        return content

    def page(self, env: str, service: str, path: str = "/") -> str:
        """What a service of an environment answers."""
        return httpx.get(self.address(env, service) + path).raise_for_status().text

    def address(self, env: str, service: str) -> str:
        """Where a service of an environment listens."""
        return str(json.loads((self.memory / f"app-{env}-{service}.json").read_text())["address"])

    def start_aws(self, account_id: str) -> None:
        """Start the embedded AWS that `make up` would start here."""
        start_embedded(self.memory, account_id)

    @property
    def memory(self) -> Path:
        """Where the embedded AWS keeps its memory."""
        return self.directory / ".oaktree/local"

    @property
    def embedded(self) -> Embedded:
        """The embedded AWS that runs here."""
        found = find_embedded(self.memory)
        assert found
        return found

    def _git(self, *arguments: str) -> str:
        identity = ("-c", "user.name=A Maintainer", "-c", "user.email=platform@example.com")
        done = subprocess.run(
            ["git", *identity, *arguments], cwd=self.directory, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


def clone(directory: Path, variables: Mapping[str, str]) -> Clone:
    """Clone this repository as it is in the working tree, with all that `make setup` makes of it.

    Its settings are those of the tests.
    """
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=SOURCE,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if not name.startswith("environments/") and (SOURCE / name).exists():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(SOURCE / name, directory / name)
    shutil.copytree(ENVIRONMENTS, directory / "environments")
    made = Clone(directory, variables)
    made._git("init", "--quiet", "--initial-branch", "main")
    made.commit("As it is")
    (directory / ".venv").mkdir()
    for entry in Path(sys.prefix).iterdir():
        if entry.name != ".complete":
            (directory / ".venv" / entry.name).symlink_to(entry)
    (directory / ".venv/.complete").touch()
    if (SOURCE / ".tools").exists():
        (directory / ".tools").symlink_to(SOURCE / ".tools")
    return made


def copied(original: Path, directory: Path, account_id: str, variables: Mapping[str, str]) -> Clone:
    """A copy of a clone, whose embedded AWS has all that the original's had and runs."""
    snapshot.copy(original, directory, account_id)
    return Clone(directory, variables, calls.count(directory / ".oaktree/local"))
