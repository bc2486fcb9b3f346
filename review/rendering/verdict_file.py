"""The verdict file: a review for machines."""

import json
from dataclasses import asdict

from review.effects.rollouts import Rollout
from review.model import Flag
from review.rendering.cost import cost_json
from review.rendering.effects import way
from review.rendering.history import Earlier
from review.rendering.points import earlier_of, since
from review.rendering.values import pair, show
from review.verdicts import Review, StackReview

SCHEMA = 1
"""The version of the verdict file; it grows when a field changes its meaning or goes away."""

_SHOWN = 500
"""Characters of a value in the verdict file."""


def verdict_json(review: Review) -> str:
    """Returns the verdict for machines, as JSON that ends with a line break.

    docs/review.md, "The verdict file", has its fields. The stacks are in order of their names. Holds nothing
    sensitive.
    """
    earlier = earlier_of(review)
    document = {
        "schema": SCHEMA,
        "verdict": review.verdict.name,
        "commit": review.commit or None,
        "run_url": review.run_url or None,
        "since": asdict(compared) if (compared := since(review)) else None,
        "cost": cost_json(review),
        "scanned": asdict(review.scanned) if review.scanned else None,
        "stacks": [
            _stack_json(each, earlier) for each in sorted(review.stacks, key=lambda one: one.stack.name)
        ],
    }
    return json.dumps(document, indent=2) + "\n"


def _stack_json(review: StackReview, earlier: Earlier | None) -> dict[str, object]:
    plan = review.stack.plan
    return {
        "name": review.stack.name,
        "environment": review.stack.environment,
        "verdict": review.verdict.name,
        "sha256": plan.sha256 if plan else None,
        "changes_sha256": plan.changes_sha256 if plan else None,
        "problem": "missing: no plan was given" if review.stack.missing else review.stack.problem,
        "waits": [{"stack": wait.stack, "reason": wait.reason} for wait in review.stack.waits],
        "counts": asdict(review.counts),
        "changes": [
            {
                "address": change.address,
                "action": change.action.value,
                "used_by": [user.address for user in change.users],
                "findings": [asdict(each) | {"severity": each.severity.name} for each in change.findings],
            }
            for change in (plan.changes if plan else ())
        ],
        "flags": [_flag_json(flag, earlier) for flag in review.flags],
        "ignored": [
            {
                "title": each.flag.title,
                "address": each.flag.address,
                "reason": each.ignore.reason,
                "until": each.ignore.until.isoformat(),
            }
            for each in review.ignored
        ],
        "services": [_service_json(each) for each in review.rollouts],
        "losses": [
            {
                "address": each.address,
                "what": each.what,
                "comes_back": [way(text, each) for text in each.ways],
            }
            for each in (review.recovery.losses if review.recovery else ())
        ],
        "unjudged": [
            {"type": each.type, "path": list(each.path), "count": each.count} for each in review.unjudged
        ],
    }


def _service_json(rollout: Rollout) -> dict[str, object]:
    return {
        "address": rollout.address,
        "effect": rollout.effect.name,
        "note": rollout.note,
        "images": [
            {
                "container": each.path[0],
                "before": show(each.before, _SHOWN),
                "after": show(each.after, _SHOWN),
            }
            for each in rollout.images
        ],
        "changes": [list(path) for path in rollout.also],
    }


def _flag_json(flag: Flag, earlier: Earlier | None) -> dict[str, object]:
    before, after = pair(flag.before, flag.after, _SHOWN)
    return {
        "concern": flag.concern.name,
        "weight": flag.weight,
        "title": flag.title,
        "reason": flag.reason,
        "address": flag.address,
        "principal": flag.principal,
        "path": list(flag.path),
        "forced_by": list(flag.forced_by),
        "before": before,
        "after": after,
        "state": earlier.state(flag).value if earlier else None,
    }
