"""Reviews what stacks would change, and ties an apply to a reviewed plan."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

import diagram as diagrams
from ops.core.checkout import Checkout
from ops.core.clients import require_account
from ops.core.ecs import Image
from ops.core.errors import OpsError, UsageError
from ops.github.role import act_in
from ops.terraform import boundaries, prerequisites, provision
from ops.terraform.synthesis import synthesize
from ops.terraform.targets import environment_of, target_of
from ops.terraform.waiting import WaitsError
from ops.terraform.workspace import OnLine, Workspace
from review.checks import TableError
from review.marker import Marker
from review.model import Flag, Verdict, Wait
from review.posting.pipeline import InputError, checked_commit, pipeline_of
from review.reading.canonical import changes_hash
from review.reading.plans import plan_of
from review.reading.scans import ScanError, read_scans, with_findings
from review.reading.stacks import read_stacks
from review.reading.waiting import NOT_APPLIED
from review.rendering.comment import COMMENT_BUDGET, SUMMARY_BUDGET, render
from review.rendering.markdown import OPEN, path_text, visible
from review.rendering.points import points
from review.rendering.values import pair
from review.rendering.verdict_file import SCHEMA, verdict_json
from review.rules import NAME, Rules, read_rules
from review.verdicts import Review, review_of
from stacks import kinds, naming
from stacks.kinds import Stack
from stacks.settings import Environment, Platform

KEY: Final = "oaktree"
"""The key that identifies the review's comment."""

_SHOWN: Final = 100
"""Most characters of a value on the terminal."""

_FAILED: Final = frozenset({Verdict.ERRORED, Verdict.INCOMPLETE})
_NOT_TO_BE_APPLIED: Final = frozenset({Verdict.WAITS.name, *(verdict.name for verdict in _FAILED)})


@dataclass(frozen=True, slots=True)
class Reviewed:
    """A review, and the directory of its `comment.md`, `summary.md` and `verdict.json`."""

    review: Review
    directory: Path

    @property
    def failed(self) -> tuple[str, ...]:
        """Returns the names of the stacks that could not be planned."""
        return tuple(each.stack.name for each in self.review.stacks if each.verdict in _FAILED)

    @property
    def waiting(self) -> tuple[str, ...]:
        """Returns the names of the stacks that wait for another one."""
        return tuple(each.stack.name for each in self.review.stacks if each.verdict is Verdict.WAITS)


def targets_to_review(platform: Platform, environment: str | None, kind: str | None) -> list[Stack]:
    """Returns the stack of `kind`, or all stacks of the environment, or all stacks.

    Raises UsageError as `target_of` does.
    """
    if kind is not None:
        return [target_of(platform, environment, kind)]
    if environment is None:
        return list(kinds.stacks(platform))
    found = environment_of(platform, environment)
    return [each.of_environment(found) for each in kinds.OF_ENVIRONMENT]


def review(
    checkout: Checkout,
    platform: Platform,
    targets: Sequence[Stack],
    on_line: OnLine,
    commit: str = "",
    key: str = KEY,
    releases: Mapping[str, Image] = MappingProxyType({}),
    scans: Sequence[Path] = (),
) -> Reviewed:
    """Plans each stack, saves the plans for `apply`, and writes the review.

    A stack that cannot be planned is reported in the review and does not stop the others. `commit`
    is the planned commit, `key` identifies the comment, `releases` are planned in place of the recorded
    ones, in the stacks that a release applies; such a plan is not saved. `scans` are reports of scanners.
    In a workflow, each stack is planned with the role of its account, and the review links to the run.
    Raises UsageError for an invalid commit or scan, and the errors of `synthesize`.
    """
    pipeline = pipeline_of(os.environ)
    try:
        marker = Marker(key, checked_commit(commit or pipeline.commit), pipeline.run)
        found = read_scans(scans)
    except (InputError, ScanError) as error:
        raise UsageError(str(error)) from None
    rules = _rules(checkout)
    synthesize(checkout)
    # The plans hold sensitive values: only this user can read the directory, and it is removed.
    with TemporaryDirectory(prefix="oaktree-review-") as directory:
        plans = Path(directory)
        for target in targets:
            on_line(f"Planning {target.name}.")
            planned = releases if target.kind.released else {}
            _plan(checkout, platform, target, plans, on_line, planned)
        stacks = read_stacks([plans], [target.name for target in targets])
        stacks, scanned = with_findings(stacks, found, [plans]) if scans else (stacks, None)
    made = review_of(stacks, marker, pipeline.run_url, rules, scanned)
    where = provision.working_root(checkout) / "review" / _name(targets)
    write(made, where)
    return Reviewed(made, where)


def _rules(checkout: Checkout) -> Rules:
    """Reads the checkout's `review.toml`, if it has one. Raises UsageError."""
    path = checkout.directory / NAME
    try:
        return read_rules(path, datetime.now(UTC).date()) if path.exists() else Rules()
    except TableError as error:
        raise UsageError(str(error)) from None


def told(reviewed: Reviewed) -> Iterator[str]:
    """Yields the lines of a review for a person at a terminal."""
    review = reviewed.review
    yield f"{review.verdict.words}: {', '.join(each.stack.name for each in review.stacks)}"
    for each in review.stacks:
        problem = f" ({each.stack.problem})" if each.stack.problem else ""
        yield f"  {each.stack.name}: {each.verdict.words}{problem}"
        for wait in each.stack.waits:
            yield f"    {visible(_wait(each.stack.name, wait))}"
        for line in each.stack.errors.splitlines():
            yield f"    {visible(line)}"
    found = points(review)
    if found:
        yield "Look at these first:"
        for point in found:
            for flag in point.flags[:OPEN]:
                yield from _flag(flag)
            if (more := len(point.flags) - OPEN) > 0:
                yield f"  {more:,} more: {point.flags[0].shown_title}"
    unjudged = [one for each in review.stacks for one in each.unjudged]
    if unjudged:
        yield "Not judged:"
        for one in unjudged:
            yield visible(f"  {one.type}: {path_text(one.path)}")
    for name in ("comment.md", "summary.md", "verdict.json"):
        yield f"Written: {reviewed.directory / name}"


def require_reviewed(verdict: Path, workspace: Workspace) -> None:
    """Raises an error unless the saved plan makes the same changes as the plan in a verdict file.

    UsageError if the file is not a verdict, or does not have the stack; OpsError if the plan there
    failed, is incomplete, or makes other changes.
    """
    stack = _reviewed(verdict, workspace.stack)
    if stack["verdict"] in _NOT_TO_BE_APPLIED:
        raise OpsError(
            f"{verdict}: the reviewed plan of {workspace.stack} is {stack['verdict']}; it cannot be applied."
        )
    plan = json.loads(workspace.show_plan())
    saved = changes_hash(plan)
    if saved != stack["changes_sha256"]:
        raise OpsError(
            f"The saved plan of {workspace.stack} makes other changes than the one in {verdict}: its changes "
            f"have the hash {saved[:12]}, the reviewed ones {str(stack['changes_sha256'])[:12]}. "
            f"{_difference(stack, plan)}\nReview it again (`make review`; in a workflow, run its job `plan` "
            "again), then apply with the new verdict."
        )


def diagram(checkout: Checkout, environment: Environment) -> str:
    """Returns a diagram of an environment in Mermaid, from the current settings.

    Raises OpsError if it cannot be drawn.
    """
    synthesize(checkout)
    stacks = [kind.name_in(environment.name) for kind in kinds.OF_ENVIRONMENT]
    try:
        return diagrams.diagram(
            {stack: json.loads(checkout.configuration(stack).read_bytes()) for stack in stacks}
        )
    except diagrams.DiagramError as error:
        raise OpsError(f"The diagram of {environment.name} cannot be drawn: {error}") from None


def _plan(
    checkout: Checkout,
    platform: Platform,
    target: Stack,
    plans: Path,
    say: OnLine,
    releases: Mapping[str, Image],
) -> None:
    """Plans one stack and copies the plan's JSON, and the error if it failed, for whatever reason.

    A review takes no lock, so that it keeps nobody from applying, not even if it is killed.
    """
    failed = plans / f"{target.name}.error"
    try:
        with provision.working_on(checkout, target) as workspace:
            workspace.discard_plan()
            try:
                act_in(platform.project, target.account_id, target.region)
                require_account(target.account_id, target.region)
                prerequisites.note(platform, [target], say)
                boundaries.note(checkout, platform, target, say)
                provision.plan_here(workspace, checkout, platform, target, lock=False, releases=releases)
            finally:
                for kept, copy in (
                    (workspace.plan_json, plans / f"{target.name}.json"),
                    (workspace.plan_error, failed),
                ):
                    with suppress(FileNotFoundError):
                        shutil.copyfile(kept, copy)
                if releases:
                    workspace.discard_plan()
    except WaitsError:
        pass  # The review sees it in the plan, or in Terraform's error.
    except (OpsError, ClientError, BotoCoreError, OSError) as error:
        if not failed.exists():
            failed.write_text(str(error))


def _name(targets: Sequence[Stack]) -> str:
    """Returns a review's name: its environment, the one stack without environment, or `all`."""
    names = {each.environment.name if each.environment else each.name for each in targets}
    return names.pop() if len(names) == 1 else "all"


def write(review: Review, directory: Path) -> None:
    """Writes all files of a review beside the previous ones, then replaces them as a whole."""
    aside = directory.with_name(f"{directory.name}.new")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    (aside / "comment.md").write_text(render(review, COMMENT_BUDGET))
    (aside / "summary.md").write_text(render(review, SUMMARY_BUDGET))
    (aside / "verdict.json").write_text(verdict_json(review))
    shutil.rmtree(directory, ignore_errors=True)
    aside.replace(directory)


def _wait(stack: str, wait: Wait) -> str:
    return wait.reason if wait.has_state else naming.waits(stack, wait.stack, NOT_APPLIED)


def _flag(flag: Flag) -> Iterator[str]:
    yield f"  {flag.stack} {visible(flag.address)}: {flag.shown_title}"
    yield f"    {flag.reason}"
    if flag.path:
        before, after = pair(flag.before, flag.after, _SHOWN)
        yield f"    {visible(path_text(flag.path))}: {before} -> {after}"
    if flag.forced_by:
        yield f"    forced by {visible(', '.join(flag.forced_by))}"


def _reviewed(verdict: Path, stack: str) -> dict[str, Any]:
    """Returns the entry of a stack in a verdict file."""
    try:
        document = json.loads(verdict.read_bytes())
    except OSError as error:
        raise UsageError(f"VERDICT={verdict} cannot be read: {error.strerror}.") from None
    except ValueError:
        raise UsageError(_no_verdict(verdict)) from None
    match document:
        case {"schema": int(schema), "stacks": list(stacks)} if not isinstance(schema, bool):
            if schema != SCHEMA:
                raise UsageError(f"VERDICT={verdict} has schema {schema}; this reads schema {SCHEMA}.")
        case _:
            raise UsageError(_no_verdict(verdict))
    names = []
    for each in stacks:
        match each:
            case {"name": str(name), "verdict": str(), "changes_sha256": str() | None}:
                if name == stack:
                    return dict(each)
                names.append(name)
            case _:
                raise UsageError(_no_verdict(verdict))
    raise UsageError(f"VERDICT={verdict} has no stack {stack}; it has {', '.join(names) or 'none'}.")


def _difference(reviewed: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    """Returns which resources a plan changes otherwise than a reviewed one, in a line each."""
    before = set[str]()
    for each in reviewed.get("changes") or ():
        match each:
            case {"action": str(action), "address": str(address)}:
                before.add(f"{action} {address}")
    now = {f"{each.action.value} {each.address}" for each in plan_of(document, "").changes}
    lines = [*(f"now: {each}" for each in now - before), *(f"no longer: {each}" for each in before - now)]
    told = "".join(f"\n  {visible(line)}" for line in sorted(lines))
    return f"Since the review:{told}" if told else "The same resources change, in another way."


def _no_verdict(verdict: Path) -> str:
    return f"VERDICT={verdict} is not a verdict of a review; name the verdict.json that `make review` wrote."
