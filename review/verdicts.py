"""Judges stacks: how many changes of each kind a plan has, and how much it asks of a reviewer."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, fields

from review.cost.estimate import Estimate, estimate
from review.cost.prices import default_prices
from review.effects.recovery import Recovery, recovery_of
from review.effects.rollouts import Rollout, rollouts_of
from review.findings import Scanned
from review.flags import Judgement, judge
from review.marker import Marker
from review.model import ABSENT, Action, Flag, Plan, ResourceChange, Stack, Unjudged, Verdict, Wait
from review.rules import Ignored, Rules
from review.table import Table


@dataclass(frozen=True, slots=True)
class Counts:
    """How many changes of each kind a plan has.

    `imports` and `moves` include updates that import or move as well.
    """

    replace: int = 0
    delete: int = 0
    update: int = 0
    create: int = 0
    forget: int = 0
    imports: int = 0
    moves: int = 0
    read: int = 0
    unrecognised: int = 0
    outputs: int = 0
    failed_checks: int = 0
    deferred: int = 0
    actions: int = 0
    drift: int = 0
    flags: int = 0
    revisions: int = 0
    """Replacements that only add a revision; `replace` counts all others."""

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(Counts)))


@dataclass(frozen=True, slots=True)
class StackReview:
    """One stack, judged."""

    stack: Stack
    flags: tuple[Flag, ...]
    counts: Counts
    verdict: Verdict
    unjudged: tuple[Unjudged, ...] = ()
    """Attributes that change and that nobody knows the meaning of."""
    ignored: tuple[Ignored, ...] = ()
    """Flags that a rule takes out of the verdict."""
    rollouts: tuple[Rollout, ...] = ()
    """What happens to each service that runs."""
    recovery: Recovery | None = None
    """What a revert brings back, and what it does not; None without a plan."""


@dataclass(frozen=True, slots=True, eq=False)
class Review:
    """All stacks, the worst first and then by environment and name, and where the review was made.

    `commit` and `run_url` are empty when they are not known. `marker` identifies the comment, `previous` is
    that of the comment which it replaces. `cost` is what all stacks cost a month. It equals only itself, so
    that what is rendered of it can be kept.
    """

    stacks: tuple[StackReview, ...]
    verdict: Verdict
    counts: Counts
    marker: Marker
    run_url: str
    rules: Rules
    cost: Estimate
    previous: Marker | None = None
    scanned: Scanned | None = None
    """How many findings of scanners there are; None if no scan was given."""

    @property
    def beyond(self) -> str:
        """Says which thresholds of the rules the review is beyond; empty if none."""
        rules = self.rules
        flags = [flag for each in self.stacks for flag in each.flags]
        gravest = max(flags, key=lambda flag: flag.weight, default=None)
        found = []
        if rules.fail_on is not None and self.verdict >= rules.fail_on:
            found.append(f"the verdict is {self.verdict.name}, and fail_on is {rules.fail_on.name}")
        if rules.fail_weight is not None and gravest and gravest.weight >= rules.fail_weight:
            found.append(
                f"{gravest.shown_title!r} weighs {gravest.weight}, and fail_weight is {rules.fail_weight}"
            )
        return f"Beyond a threshold of the rules: {'; '.join(found)}." if found else ""

    @property
    def is_quiet(self) -> bool:
        """Returns whether the rules ask for no new comment about this."""
        return self.rules.quiet and self.verdict is Verdict.NO_CHANGES

    @property
    def commit(self) -> str:
        """Returns the commit that was planned, or ""."""
        return self.marker.commit

    @property
    def plans(self) -> tuple[Plan, ...]:
        """Returns the plans of those stacks that have one, in their order."""
        return tuple(each.stack.plan for each in self.stacks if each.stack.plan)


def review_of(
    stacks: Iterable[Stack],
    marker: Marker,
    run_url: str = "",
    rules: Rules | None = None,
    scanned: Scanned | None = None,
) -> Review:
    """Judges each stack, and all of them by the worst. No stacks at all are INCOMPLETE."""
    rules = Rules() if rules is None else rules
    reviews = sorted(
        [_stack_review(stack, rules, is_first=place == 0) for place, stack in enumerate(stacks)],
        key=lambda each: (-each.verdict, each.stack.environment, each.stack.name),
    )
    return Review(
        stacks=tuple(reviews),
        verdict=max((each.verdict for each in reviews), default=Verdict.INCOMPLETE),
        counts=sum((each.counts for each in reviews), Counts()),
        marker=marker,
        run_url=run_url,
        rules=rules,
        cost=estimate([each.stack for each in reviews], default_prices()),
        scanned=scanned,
    )


def _stack_review(stack: Stack, rules: Rules, *, is_first: bool) -> StackReview:
    judged = judge(stack.name, stack.plan, rules.table) if stack.plan else Judgement()
    flags, ignored = rules.split(judged.flags)
    if is_first:
        flags += rules.expired_flags(stack.name)
    verdict = verdict_of(stack, Judgement(flags, judged.unjudged), rules.table)
    counts = counts_of(stack.plan, flags, rules.table)
    rollouts = rollouts_of(stack.name, stack.plan, rules.table) if stack.plan else ()
    recovery = recovery_of(stack.name, stack.plan, judged.flags, rules.table) if stack.plan else None
    return StackReview(stack, flags, counts, verdict, judged.unjudged, ignored, rollouts, recovery)


def counts_of(plan: Plan | None, flags: tuple[Flag, ...], table: Table) -> Counts:
    """Counts the changes of one plan; all zero without one."""
    if plan is None:
        return Counts()
    by_action = Counter(change.action for change in plan.changes if not is_revision(change, table))
    return Counts(
        replace=by_action[Action.REPLACE],
        delete=by_action[Action.DELETE],
        update=by_action[Action.UPDATE],
        create=by_action[Action.CREATE],
        forget=by_action[Action.FORGET],
        imports=sum(change.import_id is not ABSENT for change in plan.changes),
        moves=sum(change.previous_address is not None for change in plan.changes),
        read=by_action[Action.READ],
        unrecognised=by_action[Action.UNRECOGNISED],
        outputs=len(plan.outputs),
        failed_checks=len(plan.failed_checks),
        deferred=len(plan.deferred),
        actions=len(plan.actions),
        drift=len(plan.drift),
        flags=len(flags),
        revisions=sum(is_revision(change, table) for change in plan.changes),
    )


def is_revision(change: ResourceChange, table: Table) -> bool:
    """Returns whether a replacement only adds a new revision."""
    return change.action is Action.REPLACE and table.is_revision(change.type)


def verdict_of(stack: Stack, judged: Judgement, table: Table) -> Verdict:
    """Returns the worst verdict that is true of a stack's plan.

    What waits is WAITS even if it destroys something: it has to be planned and reviewed again.
    """
    plan = stack.plan
    if stack.missing:
        return Verdict.INCOMPLETE
    planned = plan is not None and not plan.errored
    if stack.problem is not None or stack.errors or not (planned or _explains_failure(stack.waits)):
        return Verdict.ERRORED
    if stack.waits or plan is None:
        return Verdict.WAITS
    if not plan.complete or plan.deferred or is_refused(plan):
        return Verdict.INCOMPLETE
    if any(table.destroys(change) for change in plan.changes):
        return Verdict.DESTRUCTIVE
    if judged.flags or plan.failed_checks or plan.drift or plan.actions:
        return Verdict.REVIEW
    if any(_needs_a_look(change) for change in plan.changes):
        return Verdict.REVIEW
    if any(output.action not in (Action.CREATE, Action.UPDATE) for output in plan.outputs):
        return Verdict.REVIEW
    if judged.unjudged:
        return Verdict.UNJUDGED
    if plan.changes or plan.outputs:
        return Verdict.SAFE
    return Verdict.NO_CHANGES


def is_refused(plan: Plan) -> bool:
    """Returns whether a plan changes something, and says that Terraform would not apply it."""
    return not plan.applyable and not plan.errored and bool(plan.changes or plan.outputs or plan.actions)


def _explains_failure(waits: tuple[Wait, ...]) -> bool:
    return any(not wait.has_state for wait in waits)


def _needs_a_look(change: ResourceChange) -> bool:
    if change.action in (Action.FORGET, Action.UNRECOGNISED, Action.DELETE) or change.keeps_former:
        return True
    is_other = change.import_id is not ABSENT or change.previous_address is not None
    return is_other and change.action not in (Action.IMPORT, Action.MOVE)
