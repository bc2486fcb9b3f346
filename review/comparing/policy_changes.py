"""What a policy allows that another one did not.

Source: AWS's IAM documentation, "Policy evaluation logic".
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network

from review.comparing.matching import freeze
from review.comparing.policies import Condition, Statement


@dataclass(frozen=True, slots=True)
class Grant:
    """What a statement allows that was not allowed before.

    `new` has the resources on which each action is new, by principal; "" is who has the policy, and "*"
    stands for resources where the statement names none. `only_loosened`: all of it was allowed before,
    under a condition that is gone or is wider now. `principals` could not do all of it even so.
    """

    statement: Statement
    new: Mapping[str, Mapping[str, frozenset[str]]]
    principals: frozenset[str]
    only_loosened: bool

    @property
    def actions(self) -> frozenset[str]:
        """Returns the actions that are new for somebody."""
        return frozenset(action for actions in self.new.values() for action in actions)


def matches(pattern: str, text: str) -> bool:
    """Returns whether an IAM pattern matches a text, which may itself be a pattern."""
    return pattern in (text, "*") or (("*" in pattern or "?" in pattern) and bool(_regex(pattern)(text)))


@lru_cache(maxsize=4096)
def _regex(pattern: str) -> Callable[[str], re.Match[str] | None]:
    parts = (".*" if char == "*" else "[^*]" if char == "?" else re.escape(char) for char in pattern)
    return re.compile("".join(parts), re.DOTALL).fullmatch


def work(before: Sequence[Statement], after: Sequence[Statement]) -> int:
    """Estimates the comparisons of patterns that it takes to compare two policies."""
    return max(_comparisons(before, after), _comparisons(after, before))


def _comparisons(known: Sequence[Statement], new: Sequence[Statement]) -> int:
    patterns = sum(1 + len(old.actions) + len(old.resources) for old in known)
    return patterns * sum(
        math.prod(max(len(part), 1) for part in (each.actions, each.resources, each.principals))
        for each in new
    )


def newly_allowed(before: Sequence[Statement], after: Sequence[Statement]) -> list[Grant]:
    """Returns what the statements of `after` allow and those of `before` did not.

    Errs on the side of new: what several statements allow only together counts as new.
    """
    known = [statement for statement in before if statement.allow]
    same = {freeze(statement.source) for statement in known}
    grants = []
    for statement in after:
        if not statement.allow or freeze(statement.source) in same:
            continue
        new = _new(known, statement)
        if not new:
            continue
        actions = {action for each in new.values() for action in each}
        loosened = all(_allowed(known, statement, action, False) for action in actions)
        principals = frozenset(
            principal
            for principal in statement.principals
            if not all(
                _covered(known, statement, action, resource, principal, False)
                for action in actions
                for resource in statement.resources or {"*"}
            )
        )
        grants.append(Grant(statement, new, principals, loosened))
    return grants


def _new(known: Sequence[Statement], statement: Statement) -> dict[str, dict[str, frozenset[str]]]:
    found: dict[str, dict[str, frozenset[str]]] = {}
    for principal in sorted(statement.principals or {""}):
        for action in sorted(statement.actions):
            resources = frozenset(
                resource
                for resource in statement.resources or {"*"}
                if not _covered(known, statement, action, resource, principal, True)
            )
            if resources:
                found.setdefault(principal, {})[action] = resources
    return found


def denials_removed(before: Sequence[Statement], after: Sequence[Statement]) -> list[Statement]:
    """Returns the Deny statements that are removed or deny less, statement by statement."""
    left = [statement for statement in after if not statement.allow]
    same = {freeze(statement.source) for statement in left}
    return [
        statement
        for statement in before
        if not statement.allow
        and freeze(statement.source) not in same
        and not all(_allowed(left, statement, action, True) for action in statement.actions)
    ]


def _allowed(known: Sequence[Statement], new: Statement, action: str, conditions: bool) -> bool:
    return all(
        _covered(known, new, action, resource, principal, conditions)
        for resource in new.resources or {"*"}
        for principal in new.principals or {""}
    )


def _covered(
    known: Sequence[Statement], new: Statement, action: str, resource: str, principal: str, conditions: bool
) -> bool:
    return any(
        _covers(old.actions, old.not_actions, action, new.not_actions)
        and (not old.resources or _covers(old.resources, old.not_resources, resource, new.not_resources))
        and _covers_principal(old, principal, new.not_principals)
        and (not conditions or _implied(old.conditions, new.conditions))
        for old in known
    )


def _covers(patterns: frozenset[str], excepted: frozenset[str], text: str, but: frozenset[str]) -> bool:
    if excepted:
        if but:
            return all(any(matches(wide, narrow) for wide in but) for narrow in excepted)
        return not any(matches(pattern, text) or matches(text, pattern) for pattern in excepted)
    return any(matches(pattern, text) for pattern in patterns)


def _covers_principal(old: Statement, principal: str, but: frozenset[str]) -> bool:
    if not principal:
        return not old.principals
    if old.not_principals:
        return old.not_principals <= but if but else principal not in old.not_principals
    if principal in old.principals or "AWS:*" in old.principals:
        return True
    account = principal.split(":")[5:6] if principal.startswith("AWS:arn:") else []
    return bool(account) and f"AWS:arn:aws:iam::{account[0]}:root" in old.principals


def _compared(operator: str, values: frozenset[str], wide: frozenset[str]) -> bool | None:
    """Returns whether addresses or bounds are within others; None if it is not about such values.

    Source: IAM User Guide, "IAM JSON policy elements: Condition operators".
    """
    if not values or not wide:
        return None
    try:
        if operator == "ipaddress":
            outer = [ip_network(each, strict=False) for each in wide]
            return all(
                any(_is_within(ip_network(each, strict=False), net) for net in outer) for each in values
            )
        if operator.startswith("numericlessthan"):
            return max(map(float, values)) <= max(map(float, wide))
        if operator.startswith("numericgreaterthan"):
            return min(map(float, values)) >= min(map(float, wide))
    except ValueError:
        return None
    if operator.startswith("datelessthan"):
        return max(values) <= max(wide)
    return min(values) >= min(wide) if operator.startswith("dategreaterthan") else None


def _is_within(inner: IPv4Network | IPv6Network, outer: IPv4Network | IPv6Network) -> bool:
    return (
        inner.version == outer.version
        and inner.network_address in outer
        and inner.prefixlen >= outer.prefixlen
    )


def _implied(old: frozenset[Condition], new: frozenset[Condition]) -> bool:
    """Returns whether everything that meets the new conditions meets the old ones."""
    return all(any(_implies(narrow, wide) for narrow in new) for wide in old)


def _implies(narrow: Condition, wide: Condition) -> bool:
    (operator, key, values), (wide_operator, wide_key, wide_values) = narrow, wide
    if key != wide_key:
        return False
    if operator == wide_operator and "not" in operator:
        return values >= wide_values
    if "not" in operator or "not" in wide_operator:
        return False
    if operator == wide_operator and (compared := _compared(operator, values, wide_values)) is not None:
        return compared
    if "like" in wide_operator and operator in (wide_operator, wide_operator.replace("like", "equals")):
        return all(any(matches(pattern, value) for pattern in wide_values) for value in values)
    if operator == wide_operator:
        return values <= wide_values
    return (
        operator.replace("like", "equals") == wide_operator
        and values <= wide_values
        and not any("*" in value or "?" in value for value in values)
    )
