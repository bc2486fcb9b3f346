"""The review of all stacks: what a comment, a job summary and a verdict file are made from."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from review.flags import flags_of
from review.marker import Marker
from review.model import Flag, Stack, Verdict
from review.values import pair
from review.verdicts import Counts, counts_of, verdict_of

SCHEMA = 1
"""The version of the verdict file; it grows when a field changes its meaning or goes away."""

_SHOWN = 500
"""Characters of a value in the verdict file."""


@dataclass(frozen=True, slots=True)
class StackReview:
    """What there is to say of one stack."""

    stack: Stack
    flags: tuple[Flag, ...]
    counts: Counts
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Review:
    """All stacks, the worst first and then by environment and name, and where the review was made.

    `commit` and `run_url` are empty when they are not known. `marker` identifies the comment.
    """

    stacks: tuple[StackReview, ...]
    verdict: Verdict
    counts: Counts
    marker: Marker
    run_url: str

    @property
    def commit(self) -> str:
        """The commit that was planned, or nothing."""
        return self.marker.commit


def review_of(stacks: Iterable[Stack], marker: Marker, run_url: str = "") -> Review:
    """Judge each stack, and all of them by the worst. No stacks at all are INCOMPLETE."""
    reviews = sorted(
        map(_stack_review, stacks),
        key=lambda each: (-each.verdict, each.stack.environment, each.stack.name),
    )
    return Review(
        stacks=tuple(reviews),
        verdict=max((each.verdict for each in reviews), default=Verdict.INCOMPLETE),
        counts=sum((each.counts for each in reviews), Counts()),
        marker=marker,
        run_url=run_url,
    )


def _stack_review(stack: Stack) -> StackReview:
    flags = flags_of(stack.name, stack.plan) if stack.plan else ()
    return StackReview(stack, flags, counts_of(stack.plan, flags), verdict_of(stack, flags))


def exit_status(review: Review, *, detailed: bool, bad_input: bool) -> int:
    """The exit status of the command.

    0 rendered, 2 bad input; `detailed`: 0 no changes, 2 changes, 3 something is destroyed, 1 a plan
    failed, is incomplete or cannot be read.
    """
    if not detailed:
        return 2 if bad_input else 0
    if bad_input or review.verdict >= Verdict.INCOMPLETE:
        return 1
    return {Verdict.NO_CHANGES: 0, Verdict.DESTRUCTIVE: 3}.get(review.verdict, 2)


def verdict_json(review: Review) -> str:
    """The verdict for machines, as JSON that ends with a line break.

    `schema` is 1. `verdict` is the worst of `stacks`, each with `name`, `environment`, `verdict`,
    `sha256` (of the plan's JSON) and `changes_sha256` (of what it changes; both null without a plan),
    `problem` (why there is no plan, or null), `counts`, and `flags`: `concern`, `title`, `reason`,
    `address`, `path`, `forced_by`, and `before` and `after` as text, at most 500 characters each.
    The stacks are in order of their names. Holds nothing sensitive.
    """
    document = {
        "schema": SCHEMA,
        "verdict": review.verdict.name,
        "commit": review.commit or None,
        "run_url": review.run_url or None,
        "stacks": [_stack_json(each) for each in sorted(review.stacks, key=lambda one: one.stack.name)],
    }
    return json.dumps(document, indent=2) + "\n"


def _stack_json(review: StackReview) -> dict[str, object]:
    plan = review.stack.plan
    return {
        "name": review.stack.name,
        "environment": review.stack.environment,
        "verdict": review.verdict.name,
        "sha256": plan.sha256 if plan else None,
        "changes_sha256": plan.changes_sha256 if plan else None,
        "problem": "missing: no plan was given" if review.stack.missing else review.stack.problem,
        "counts": asdict(review.counts),
        "flags": [_flag_json(flag) for flag in review.flags],
    }


def _flag_json(flag: Flag) -> dict[str, object]:
    before, after = pair(flag.before, flag.after, _SHOWN)
    return {
        "concern": flag.concern.name,
        "title": flag.title,
        "reason": flag.reason,
        "address": flag.address,
        "path": list(flag.path),
        "forced_by": list(flag.forced_by),
        "before": before,
        "after": after,
    }
