"""Tells who may do what after a plan that they might not before it, or no longer, by access level."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from review.comparing.policies import Statement
from review.comparing.policy_changes import Grant
from review.flags.actions import Level, level_of
from review.flags.subject import Subject
from review.model import ABSENT, Concern, Flag, Holder

LEVELS: Final[Mapping[Level, tuple[str, int, int]]] = {
    Level.LATER: ("not known yet", 58, 42),
    Level.PERMISSIONS: ("permissions", 58, 34),
    Level.NOT_KNOWN: ("no action that AWS lists", 52, 40),
    Level.WRITE: ("write", 46, 24),
    Level.READ: ("read", 45, 22),
    Level.TAGGING: ("tag", 44, 21),
    Level.LIST: ("list", 43, 20),
}
"""What a reader calls a level, and how grave it is for who is there already and for somebody new."""

FOREIGN: Final = 10
"""How much graver it is for principals that may be in another account."""

LOST: Final = 47

_ARN: Final = re.compile(r"AWS:arn:aws[a-z-]*:(?:iam|sts)::(\d{12}):(root|(?:role|user)/(?:.*/)?([^/]+))")


def gained(subject: Subject, grants: Sequence[Grant], is_new: bool) -> Iterator[Flag]:
    """Tells what principals may do now; `is_new` says whether those that a policy names are new to it."""
    for holder, level, sentence in _sentences(subject, grants, is_new):
        word, weight, weight_if_new = LEVELS[level]
        weight += FOREIGN if holder.name.startswith(("account ", "arn:", "everybody")) else 0
        title, reason = "More is allowed", "The policy allows what it did not allow before."
        if holder.is_new:
            title, reason, weight = (
                "New permission",
                "The policy of something new allows this.",
                weight_if_new,
            )
        flag = subject.flag(
            Concern.PERMISSION, title, reason, (), ABSENT, f"{word}: {sentence}", weight=weight
        )
        yield replace(flag, principal=holder.name)


def lost(subject: Subject, grants: Sequence[Grant]) -> Iterator[Flag]:
    """Tells what principals may no longer do."""
    for holder, level, sentence in _sentences(subject, grants, False):
        said = f"{LEVELS[level][0]}: {sentence}"
        flag = subject.flag(
            Concern.RUNTIME, "No longer allowed", "Whoever needs the permission fails.", (), said, weight=LOST
        )
        yield replace(flag, principal=holder.name)


def _sentences(
    subject: Subject, grants: Sequence[Grant], is_new: bool
) -> Iterator[tuple[Holder, Level, str]]:
    """Yields what is new for each principal in words, the highest access level first."""
    found: dict[tuple[Holder, Level], dict[str, dict[str, None]]] = {}
    for grant in grants:
        said = _said(grant.statement)
        for principal, actions in grant.new.items():
            for holder in _holders(subject, principal, is_new):
                for action, resources in actions.items():
                    where = found.setdefault((holder, level_of(action)), {})
                    where.setdefault(_on(subject, grant.statement, resources), {})[
                        said.get(action, action)
                    ] = None
    for (holder, level), where in sorted(found.items(), key=lambda each: (each[0][0].name, -each[0][1])):
        yield holder, level, "; ".join(f"{', '.join(sorted(names))}{on}" for on, names in where.items())


def _holders(subject: Subject, principal: str, is_new: bool) -> tuple[Holder, ...]:
    if principal:
        return (Holder(name_of(principal, subject.accounts), is_new),)
    return subject.change.holders or (Holder("", is_new),)


def named(subject: Subject) -> str:
    """Names who has the policy of a change; empty if the plan does not tell."""
    return ", ".join(each.name for each in subject.change.holders if each.name)


def name_of(principal: str, own: frozenset[str]) -> str:
    """Returns a principal as a reader knows it: `role web` of one's own account, another by its ARN."""
    if principal == "AWS:*":
        return "everybody"
    match = _ARN.fullmatch(principal)
    if match and match[2] == "root":
        return "the plan's own account" if match[1] in own else f"account {match[1]}"
    if match and match[1] in own:
        return f"{match[2].partition('/')[0]} {match[3]}"
    return principal.partition(":")[2]


def _said(statement: Statement) -> dict[str, str]:
    """Returns the actions as the statement spells them, by their lower case."""
    if statement.not_actions:
        return {"*": f"all but {', '.join(sorted(statement.not_actions))}"}
    named = statement.source.get("Action")
    return {each.lower(): each for each in named if isinstance(each, str)} if isinstance(named, list) else {}


def _on(subject: Subject, statement: Statement, resources: frozenset[str]) -> str:
    """Names the resources; a trust policy has none, but is about its role."""
    what = ", ".join(sorted(resources)) if statement.resources else named(subject)
    if statement.not_resources:
        what = f"all but {', '.join(sorted(statement.not_resources))}"
    what = f" on {what}" if what else ""
    return f"{what} under a condition" if statement.conditions else what
