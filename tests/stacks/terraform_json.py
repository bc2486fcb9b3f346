"""Reading synthesized Terraform JSON."""

import functools
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stacks.reading import read_platform
from tests.places import ENVIRONMENTS


@dataclass(frozen=True)
class Stack:
    """One `cdk.tf.json`."""

    content: dict[str, Any]

    def all(self, kind: str) -> dict[str, dict[str, Any]]:
        """Resources of a type, by their Terraform name."""
        found: dict[str, dict[str, Any]] = self.content.get("resource", {}).get(kind, {})
        return found

    def one(self, kind: str, name: str | None = None) -> dict[str, Any]:
        """The resource of a type with a name, or the only one of its type."""
        found = self.all(kind)
        if name is not None:
            return found[name]
        (only,) = found.values()
        return only

    def resources(self) -> dict[str, dict[str, Any]]:
        """Every resource by its address."""
        return {
            f"{kind}.{name}": {key: value for key, value in body.items() if key != "//"}
            for kind, bodies in self.content.get("resource", {}).items()
            for name, body in bodies.items()
        }

    def statements(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Every statement of every policy in the stack, with the address of what holds it."""
        for address, body in self.resources().items():
            for key in ("policy", "assume_role_policy"):
                if key in body and "Statement" in body[key]:
                    for statement in json.loads(body[key])["Statement"]:
                        yield address, statement

    def container(self, task: str = "web_task") -> dict[str, Any]:
        """The only container of a task definition."""
        (container,) = json.loads(self.one("aws_ecs_task_definition", task)["container_definitions"])
        return dict(container)


def read_stacks(outdir: Path) -> dict[str, Stack]:
    """The stacks in a synthesized directory, by name."""
    return {
        path.parent.name: Stack(json.loads(path.read_text()))
        for path in sorted(outdir.glob("stacks/*/cdk.tf.json"))
    }


@functools.cache
def stacks_of_tests() -> dict[str, Stack]:
    """The stacks of the tests' environments, by name; synthesized once."""
    # The bindings take seconds to load: not for tests that read JSON of their own.
    from stacks.synthesis import synthesize

    with tempfile.TemporaryDirectory() as directory:
        outdir = Path(directory) / "cdktf.out"
        synthesize(read_platform(ENVIRONMENTS), outdir)
        return read_stacks(outdir)
