"""How the plans in `tests/review/plans` are made: by the real Terraform, on a platform that is applied.

    python -m tests.review.recording [STORY]...

brings the platform up on an embedded AWS in a directory of its own, plans every story and writes
`plans/<story>/<stack>.json`, what `terraform show -json` says, and `<stack>.error`, what Terraform
says when it fails. That takes some six minutes. After that,

    UPDATE_GOLDEN=1 pytest tests/review/test_golden.py

renders them anew. With `--desk DIRECTORY` it uses a platform that is up already, and leaves it there.

To keep them small, plans are written without what a review does not read: `planned_values`,
`prior_state`, `configuration`, `variables`, and the values of what stays as it is. One story keeps
everything.
"""

import argparse
import json
import os
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ops.checkout import SOURCE, Checkout
from ops.embedded import start_embedded
from ops.synthesis import synthesize
from ops.terraform import TerraformError, find_terraform
from ops.workspace import Workspace
from tests.e2e.desk import Desk, succeeded
from tests.review.stories import ACCOUNT, REGION, SETTINGS, STORIES, Edit, Story

PLANS: Final = Path(__file__).with_name("plans")

_NOT_READ: Final = ("planned_values", "prior_state", "configuration", "variables")


def prepare(desk: Desk) -> None:
    """Put the settings that all stories begin with on a desk: the project's own, and those of dev."""
    environments = desk.directory / "environments"
    shutil.copytree(SOURCE / "environments", environments, dirs_exist_ok=True)
    (environments / "dev.toml").write_text(SETTINGS)


@dataclass(frozen=True)
class Recorder:
    """Tells stories on a desk where the platform is up."""

    desk: Desk
    _synthesized: dict[tuple[Edit, ...], Path] = field(default_factory=dict)

    def record(self, story: Story, to: Path) -> None:
        """Plan a story's stacks and write what came of it into a directory."""
        shutil.rmtree(to, ignore_errors=True)
        to.mkdir(parents=True)
        unchanged = self._synthesize(())
        synthesized = self._synthesize(story.edits)

        def plan(workspace: Workspace) -> None:
            configuration = json.loads(_configuration(synthesized, workspace.stack).read_text())
            if workspace.stack in story.configure:
                story.configure[workspace.stack](configuration)
            self._plan(story, workspace, configuration, to)

        with ThreadPoolExecutor() as pool:
            workspaces = list(pool.map(lambda stack: self._workspace(stack, unchanged), story.stacks))
            with story.behind(self.desk.embedded):
                list(pool.map(plan, workspaces))

    def _plan(self, story: Story, workspace: Workspace, configuration: Any, to: Path) -> None:
        state = workspace.directory / "terraform.tfstate"
        state.unlink(missing_ok=True)
        if not story.empty:
            remembered = json.loads(self._state(workspace).read_text())
            if workspace.stack in story.remember:
                story.remember[workspace.stack](remembered)
            state.write_text(json.dumps(remembered))
        (workspace.directory / "cdk.tf.json").write_text(json.dumps(configuration))
        written = to / f"{workspace.stack}.json"
        try:
            workspace.plan(f"-refresh={str(story.refresh).lower()}", *story.arguments)
        except TerraformError:
            shutil.copyfile(workspace.plan_error, written.with_suffix(".error"))
        if workspace.plan_json.exists():
            plan = json.loads(workspace.plan_json.read_bytes())
            if not story.whole:
                _shorten(plan)
            written.write_text(json.dumps(plan, separators=(",", ":"), ensure_ascii=False))

    def _synthesize(self, edits: tuple[Edit, ...]) -> Path:
        """Where the stacks are that a checkout with some edits gives."""
        if edits not in self._synthesized:
            directory = self.desk.directory / ".oaktree/local/stories" / f"checkout-{len(self._synthesized)}"
            shutil.rmtree(directory, ignore_errors=True)
            for name in ("stacks", "webapp"):
                shutil.copytree(SOURCE / name, directory / name, ignore=shutil.ignore_patterns("__pycache__"))
            shutil.copy(SOURCE / "main.py", directory)
            shutil.copytree(self.desk.directory / "environments", directory / "environments")
            for edit in edits:
                file = directory / edit.file
                assert edit.old in file.read_text(), edit
                file.write_text(file.read_text().replace(edit.old, edit.new))
            synthesize(Checkout(directory))
            self._synthesized[edits] = Checkout(directory).synthesized
        return self._synthesized[edits]

    def _workspace(self, stack: str, synthesized: Path) -> Workspace:
        """A working directory of its own, and beside it the state, which a story may change."""
        workspace = Workspace(
            stack,
            self.desk.directory / ".oaktree/local/stories",
            find_terraform(self.desk.directory / ".oaktree"),
            self.desk.embedded.environment(ACCOUNT, REGION, os.environ),
        )
        if not self._state(workspace).exists():
            workspace.take(_configuration(synthesized, stack))
            workspace.use_local_state()
            workspace.init()
            s3 = self.desk.embedded.client("s3", REGION, ACCOUNT)
            bucket = f"oaktree-state-{ACCOUNT}-{REGION}"
            file = workspace.directory / "terraform.tfstate"
            file.write_bytes(s3.get_object(Bucket=bucket, Key=f"{stack}.tfstate")["Body"].read())
            # With what AWS added after the apply, so that a story need not look for it.
            workspace.plan("-refresh-only")
            workspace.apply_plan()
            file.replace(self._state(workspace))
        return workspace

    def _state(self, workspace: Workspace) -> Path:
        return workspace.root / f"{workspace.stack}.tfstate"


def _configuration(synthesized: Path, stack: str) -> Path:
    return synthesized / "stacks" / stack / "cdk.tf.json"


def _shorten(plan: dict[str, Any]) -> None:
    for key in _NOT_READ:
        plan.pop(key, None)
    for item in plan.get("resource_changes", ()):
        moved = item.keys() & {"previous_address"} or item["change"].keys() & {"importing"}
        if item["change"]["actions"] == ["no-op"] and not moved:
            item["change"] = {"actions": ["no-op"], "before": {}, "after": {}, "after_unknown": {}}


def main() -> None:
    """Record stories, all by default."""
    parser = argparse.ArgumentParser(description="Record plans for the tests of the review.")
    parser.add_argument("stories", nargs="*", metavar="STORY", help=", ".join(STORIES))
    parser.add_argument("--desk", type=Path, help="a directory in which `make up` was run")
    arguments = parser.parse_args()
    if arguments.desk:
        _record(Desk(arguments.desk.absolute()), arguments.stories)
        return
    with tempfile.TemporaryDirectory() as directory:
        desk = Desk(Path(directory))
        prepare(desk)
        start_embedded(desk.directory / ".oaktree/local", ACCOUNT)
        try:
            assert succeeded(desk.ops("up", "--env", "dev"))
            _record(desk, arguments.stories)
        finally:
            desk.ops("down")


def _record(desk: Desk, stories: list[str]) -> None:
    recorder = Recorder(desk)
    for name in stories or STORIES:
        recorder.record(STORIES[name], PLANS / name)
        print(name, *(f"{file.name}:{file.stat().st_size}" for file in sorted((PLANS / name).iterdir())))


if __name__ == "__main__":
    main()
