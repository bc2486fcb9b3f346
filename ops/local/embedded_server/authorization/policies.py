"""What policies say about a call.

Source of the rules: IAM User Guide, "Policy evaluation logic", "IAM JSON policy elements: Condition
operators", "Conditions with multiple context keys or values", "Permissions boundaries for IAM
entities" and "Cross-account policy evaluation logic".
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final

from ops.local.embedded_server.authorization.calls import Call

Statement = Mapping[str, Any]
Context = Mapping[str, Sequence[str]]

WITHOUT_PERMISSION: Final = "sts:GetCallerIdentity"
"""The action that no policy needs to allow. Source: AWS STS API Reference, "GetCallerIdentity"."""


class UnknownConditionError(Exception):
    """A policy uses a condition operator or a policy variable that is not evaluated here."""


@dataclass(frozen=True)
class Role:
    """A role with the statements of its policies; `boundary` is None for a role without one."""

    account_id: str
    name: str
    statements: tuple[Statement, ...]
    boundary: tuple[Statement, ...] | None = None

    @property
    def arn(self) -> str:
        """Returns the role's ARN, which `Principal` elements name."""
        return f"arn:aws:iam::{self.account_id}:role/{self.name}"

    def allows(self, call: Call, resource_policy: Sequence[Statement] = ()) -> bool:
        """Returns whether AWS would let the role make the call.

        `resource_policy` is the policy of the resource that the call is about. Within an account it
        may allow what the role's own policies do not; for another account's resource, both must allow.
        """
        if call.action == WITHOUT_PERMISSION:
            return True
        principal = {"aws:PrincipalArn": (self.arn,), "aws:PrincipalAccount": (self.account_id,)}
        call = replace(call, context={**call.context, **principal})
        concerned = [each for each in resource_policy if self._is_principal(each)]
        sources = (self.statements, self.boundary or (), concerned)
        if any(says("Deny", statements, call) for statements in sources):
            return False
        within_boundary = self.boundary is None or says("Allow", self.boundary, call)
        by_role = within_boundary and says("Allow", self.statements, call)
        if call.owner in (None, self.account_id):
            named = [each for each in concerned if not self._is_delegated(each)]
            # The boundary limits what is granted to the role by its ARN, too.
            return by_role or (within_boundary and says("Allow", named, call))
        return by_role and says("Allow", concerned, call)

    def _is_principal(self, statement: Statement) -> bool:
        if "NotPrincipal" in statement:
            raise UnknownConditionError("NotPrincipal")
        principals = _principals(statement)
        return bool(principals & {"*", self.arn, self.account_id, self._root})

    def _is_delegated(self, statement: Statement) -> bool:
        """Returns whether a statement names the whole account, which leaves it to the role's own policies."""
        return not _principals(statement) & {"*", self.arn}

    @property
    def _root(self) -> str:
        return f"arn:aws:iam::{self.account_id}:root"


def says(effect: str, statements: Sequence[Statement], call: Call) -> bool:
    """Returns whether a statement of an effect applies to a call."""
    return any(True for _ in matching(effect, statements, call))


def matching(effect: str, statements: Sequence[Statement], call: Call) -> Iterator[Statement]:
    """Yields the statements of an effect that apply to a call."""
    for statement in statements:
        if statement["Effect"] == effect and _applies(statement, call):
            yield statement


def written_statements(text: str) -> Sequence[Statement]:
    """Returns the statements of the policy of a resource, as somebody writes it, or none if it is malformed.

    Source: IAM User Guide, "Grammar of the IAM JSON policy language".
    """
    try:
        document = json.loads(text)
    except ValueError:
        return ()
    found = document.get("Statement") if isinstance(document, dict) else None
    statements = [found] if isinstance(found, dict) else found
    return statements if isinstance(statements, list) and all(map(_is_whole, statements)) else ()


def _is_whole(statement: Any) -> bool:
    return (
        isinstance(statement, dict)
        and statement.get("Effect") in ("Allow", "Deny")
        and bool(statement.get("Principal") or statement.get("NotPrincipal"))
        and bool(statement.get("Action") or statement.get("NotAction"))
    )


def names_action(pattern: str, action: str) -> bool:
    """Returns whether an `Action` pattern names an action; letter case does not count."""
    return bool(_pattern(pattern.lower()).fullmatch(action.lower()))


def _applies(statement: Statement, call: Call) -> bool:
    return (
        _covers(statement, "Action", lambda pattern: names_action(pattern, call.action))
        and _covers(statement, "Resource", lambda pattern: _names_resource(pattern, call))
        and all(
            _holds(operator, key, listed(values), call.context)
            for operator, keys in statement.get("Condition", {}).items()
            for key, values in keys.items()
        )
    )


def _covers(statement: Statement, element: str, fits: Callable[[str], bool]) -> bool:
    if excluded := statement.get(f"Not{element}"):
        return not any(map(fits, listed(excluded)))
    return any(map(fits, listed(statement.get(element, "*"))))


def _names_resource(pattern: str, call: Call) -> bool:
    if "${" in pattern:
        raise UnknownConditionError(pattern)
    return pattern == "*" or any(_pattern(pattern).fullmatch(arn) for arn in call.resources)


def _principals(statement: Statement) -> set[str]:
    principal = statement.get("Principal", {})
    if principal == "*":
        return {"*"}
    return set(listed(principal.get("AWS", ())))


def _holds(operator: str, key: str, values: Sequence[Any], context: Context) -> bool:
    """Returns whether one key of a condition holds for the values that the request's context has."""
    wanted = [str(value).lower() if isinstance(value, bool) else str(value) for value in values]
    if any("${" in value for value in wanted):
        raise UnknownConditionError(f"{key}: {wanted}")
    found = {name.lower(): values for name, values in context.items()}.get(key.lower())
    if operator == "Null":
        return (found is None) == (wanted[0] == "true")
    quantifier, _, plain = operator.rpartition(":")
    if plain.endswith("IfExists"):
        if found is None:
            return quantifier != "ForAnyValue"
        plain = plain.removesuffix("IfExists")
    negated, positive = plain in _NEGATED, _NEGATED.get(plain, plain)
    try:
        compare = _OPERATORS[positive]
    except KeyError:
        raise UnknownConditionError(operator) from None
    if found is None:
        return quantifier == "ForAllValues" or (negated and not quantifier)
    matches = [any(compare(value, each) for each in wanted) is not negated for value in found]
    return any(matches) if quantifier == "ForAnyValue" else all(matches)


def _like(value: str, wanted: str) -> bool:
    return bool(_pattern(wanted).fullmatch(value))


_OPERATORS: Final[Mapping[str, Callable[[str, str], bool]]] = {
    "ArnEquals": _like,
    "ArnLike": _like,
    "Bool": lambda value, wanted: value.lower() == wanted.lower(),
    "StringEquals": lambda value, wanted: value == wanted,
    "StringEqualsIgnoreCase": lambda value, wanted: value.lower() == wanted.lower(),
    "StringLike": _like,
}
_NEGATED: Final = {
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
    "StringNotEquals": "StringEquals",
    "StringNotLike": "StringLike",
}


@cache
def _pattern(text: str) -> re.Pattern[str]:
    """Returns a pattern in which `*` stands for any text and `?` for any character."""
    return re.compile(re.escape(text).replace(r"\*", ".*").replace(r"\?", "."), re.DOTALL)


def listed(value: Any) -> Sequence[Any]:
    """Returns the values of an element of a policy, which may stand for one alone."""
    return value if isinstance(value, list | tuple) else [value]
