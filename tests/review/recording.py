"""How the plans in `tests/review/plans` are made: by the real Terraform, on a platform that is applied.

    make record-plans

plans anew what is no longer made of what the stacks, the settings and the stories say now. It brings the
platform up on an embedded AWS in a directory of its own, which takes some three minutes, and writes
`plans/<story>/<stack>.json`, what `terraform show -json` says, and `<stack>.error`, what Terraform says
when it fails. `plans.json` keeps of what each story was made. After that,

    UPDATE_GOLDEN=1 pytest tests/review/test_golden.py

renders the comments anew. As `python -m tests.review.recording` it takes the names of stories, `--all`,
and `--desk DIRECTORY` for a platform that is up already, and stays so.

To keep them small, plans are written without what a review does not read: `planned_values`, `variables`,
constants in the configuration, all of `prior_state` but its dependencies, and the values of what stays as
it is. One story keeps everything.
"""

import argparse
import hashlib
import inspect
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ops.core.checkout import SOURCE, Checkout
from ops.local.embedded import start_embedded
from ops.terraform import synthesis
from ops.terraform.binary import TerraformError, find_terraform
from ops.terraform.waiting import WaitsError
from ops.terraform.workspace import Workspace
from stacks.reading import read_platform
from tests.e2e.desk import Desk, succeeded
from tests.places import ENVIRONMENTS
from tests.review.stories import ACCOUNT, REGION, SETTINGS, STORIES, Edit, Story

PLANS: Final = Path(__file__).with_name("plans")
MADE_OF: Final = PLANS.with_suffix(".json")
"""What the plans were made of: the version of Terraform, and for each story a digest of all the rest."""

_NOT_READ: Final = ("planned_values", "variables")
_OF_A_RESOURCE: Final = ("address", "mode", "type", "name", "index", "depends_on")
"""What is kept of a resource in `prior_state`."""


def prepare(environments: Path, dev: str = SETTINGS) -> None:
    """Write the settings that all stories begin with: those of all tests, and the stories' own of dev."""
    shutil.copytree(ENVIRONMENTS, environments, dirs_exist_ok=True)
    (environments / "dev.toml").write_text(dev)


@dataclass(frozen=True)
class Checkouts:
    """Synthesizes the stacks that a checkout with some edits has, each checkout once, in a directory.

    `dev` are the settings of dev before any edit.
    """

    directory: Path
    dev: str = SETTINGS
    _synthesized: dict[tuple[Edit, ...], Path] = field(default_factory=dict)

    def configuration(self, edits: tuple[Edit, ...], stack: str) -> Any:
        """A stack as it is synthesized."""
        if edits not in self._synthesized:
            self._synthesized[edits] = self._synthesize(edits)
        return json.loads((self._synthesized[edits] / "stacks" / stack / "cdk.tf.json").read_text())

    def _synthesize(self, edits: tuple[Edit, ...]) -> Path:
        checkout = Checkout(self.directory / f"checkout-{len(self._synthesized)}")
        shutil.rmtree(checkout.directory, ignore_errors=True)
        prepare(checkout.environments, self.dev)
        in_the_code = [edit for edit in edits if not edit.file.startswith("environments/")]
        if in_the_code:
            ignored = shutil.ignore_patterns("__pycache__")
            for name in ("stacks", "webapp"):
                shutil.copytree(SOURCE / name, checkout.directory / name, ignore=ignored)
            shutil.copy(SOURCE / "main.py", checkout.directory)
        for edit in edits:
            file = checkout.directory / edit.file
            assert edit.old in file.read_text(), edit
            file.write_text(file.read_text().replace(edit.old, edit.new))
        if in_the_code:
            synthesis.synthesize(checkout)
        else:
            # Not in a process of its own, which takes ten times as long.
            from stacks.synthesis import synthesize

            synthesize(read_platform(checkout.environments), checkout.synthesized)
        return checkout.synthesized


def made_of(story: Story, checkouts: Checkouts) -> str:
    """A digest of all that makes a story's plans but Terraform's own version.

    That is what is planned, what is applied beforehand and what of it other stacks read, and the story.
    The provider's version is in each of them.
    """
    planned = {stack: configured(story, stack, checkouts) for stack in story.stacks}
    read = {
        state["config"]["key"].removesuffix(".tfstate")
        for configuration in planned.values()
        for state in configuration.get("data", {}).get("terraform_remote_state", {}).values()
    }
    parts = {
        "planned": planned,
        "applied": {stack: checkouts.configuration((), stack) for stack in sorted({*story.stacks, *read})},
        "remembered": {stack: _source(change) for stack, change in story.remember.items()},
        "behind": _source(story.behind),
        "how": [story.arguments, story.refresh, story.empty, story.whole],
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def configured(story: Story, stack: str, checkouts: Checkouts) -> Any:
    """What a story plans of a stack."""
    configuration = checkouts.configuration(story.edits, stack)
    if stack in story.configure:
        story.configure[stack](configuration)
    return configuration


def _source(function: Callable[..., Any]) -> str:
    """The code of a function and, of what it names of its module, that of functions, and texts."""
    wanted, found = [inspect.unwrap(function)], dict[str, str]()
    while wanted:
        plain = wanted.pop()
        text = found[plain.__qualname__] = inspect.getsource(plain)
        # By the words, since what the compiler makes of them differs between versions of Python.
        for name in set(re.findall(r"\w+", text)) - found.keys():
            value = plain.__globals__.get(name)
            if isinstance(value, str) and not name.startswith("__"):
                found[name] = value
            elif inspect.isfunction(value) and value.__module__ == plain.__module__:
                wanted.append(inspect.unwrap(value))
    return json.dumps(found, sort_keys=True)


@dataclass(frozen=True)
class Recorder:
    """Tells stories on a desk where the platform is up."""

    desk: Desk
    checkouts: Checkouts

    def record(self, story: Story, to: Path) -> None:
        """Plan a story's stacks and write what came of it into a directory."""
        shutil.rmtree(to, ignore_errors=True)
        to.mkdir(parents=True)
        planned = {stack: configured(story, stack, self.checkouts) for stack in story.stacks}

        def plan(workspace: Workspace) -> None:
            self._plan(story, workspace, planned[workspace.stack], to)

        with ThreadPoolExecutor() as pool:
            workspaces = list(pool.map(self._workspace, story.stacks))
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
        except WaitsError:
            pass  # The plan says what it waits for.
        except TerraformError:
            shutil.copyfile(workspace.plan_error, written.with_suffix(".error"))
        if workspace.plan_json.exists():
            plan = json.loads(workspace.plan_json.read_bytes())
            if not story.whole:
                _shorten(plan)
            written.write_text(json.dumps(plan, separators=(",", ":"), ensure_ascii=False))

    def _workspace(self, stack: str) -> Workspace:
        """A working directory of its own, and beside it the state, which a story may change."""
        workspace = Workspace(
            stack,
            self.desk.directory / ".oaktree/local/stories",
            find_terraform(self.desk.directory / ".oaktree"),
            self.desk.embedded.environment(ACCOUNT, REGION, os.environ),
        )
        if not self._state(workspace).exists():
            workspace.directory.mkdir(parents=True)
            applied = self.checkouts.configuration((), stack)
            (workspace.directory / "cdk.tf.json").write_text(json.dumps(applied))
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


def _shorten(plan: dict[str, Any]) -> None:
    for key in _NOT_READ:
        plan.pop(key, None)
    for item in plan.get("resource_changes", ()):
        moved = item.keys() & {"previous_address"} or item["change"].keys() & {"importing"}
        if item["change"]["actions"] == ["no-op"] and not moved:
            item["change"] = {"actions": ["no-op"], "before": {}, "after": {}, "after_unknown": {}}
    # OakTree's stacks have no modules.
    for resource in plan.get("configuration", {}).get("root_module", {}).get("resources", ()):
        resource["expressions"] = _without_constants(resource.get("expressions", {}))
    if values := plan.get("prior_state", {}).get("values"):
        resources = values.get("root_module", {}).get("resources", ())
        kept = [{key: each[key] for key in _OF_A_RESOURCE if key in each} for each in resources]
        plan["prior_state"] = {"values": {"root_module": {"resources": kept}}}


def _without_constants(expression: Any) -> Any:
    if isinstance(expression, list):
        return [_without_constants(each) for each in expression]
    if isinstance(expression, dict):
        return {
            key: _without_constants(value) for key, value in expression.items() if key != "constant_value"
        }
    return expression


def main() -> None:
    """Record the stories that are named, or else those whose plans are made of something else by now."""
    parser = argparse.ArgumentParser(description="Record plans for the tests of the review.")
    parser.add_argument("stories", nargs="*", metavar="STORY", help=", ".join(STORIES))
    parser.add_argument("--all", action="store_true", help="record every story")
    parser.add_argument("--desk", type=Path, help="a directory in which `make up` was run")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        checkouts = Checkouts(Path(directory))
        digests = {name: made_of(story, checkouts) for name, story in STORIES.items()}
        terraform = find_terraform(Path(directory)).version
        recorded = json.loads(MADE_OF.read_text()) if MADE_OF.exists() else {}
        known = recorded.get("stories", {}) if recorded.get("terraform") == terraform else {}
        wanted = list(STORIES) if arguments.all else arguments.stories
        if not wanted:
            wanted = [name for name, digest in digests.items() if known.get(name) != digest]
        if not wanted:
            print("record-plans: all plans are made of what is there")
            return
        with _desk(arguments.desk, Path(directory) / "desk") as desk:
            recorder = Recorder(desk, checkouts)
            for name in wanted:
                recorder.record(STORIES[name], PLANS / name)
                print(f"record-plans: {name}", flush=True)
                known = {**known, name: digests[name]}
                _write(terraform, known)
    for former in {file.name for file in PLANS.iterdir()} - set(STORIES):
        shutil.rmtree(PLANS / former)
    print("record-plans: now UPDATE_GOLDEN=1 pytest tests/review/test_golden.py, and look at the comments")


@contextmanager
def _desk(given: Path | None, made: Path) -> Iterator[Desk]:
    """A desk where the platform is up: the one that was given, or one for the time being."""
    if given:
        yield Desk(given.absolute())
        return
    desk = Desk(made)
    prepare(desk.directory / "environments")
    start_embedded(desk.directory / ".oaktree/local", ACCOUNT)
    try:
        if not succeeded(desk.ops("up", "--env", "dev")):
            sys.exit("record-plans: the platform did not come up")
        yield desk
    finally:
        desk.ops("down")


def _write(terraform: str, stories: Mapping[str, str]) -> None:
    kept = {name: stories[name] for name in STORIES if name in stories}
    MADE_OF.write_text(json.dumps({"terraform": terraform, "stories": kept}, indent=2) + "\n")


if __name__ == "__main__":
    main()
