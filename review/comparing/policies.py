"""What an IAM policy document says, without the freedoms of its grammar.

Source: AWS's IAM documentation, "Grammar of the IAM JSON policy language".
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from review.model import UNKNOWN, Document, Masked, Special, Tree

LISTS = frozenset({"Action", "NotAction", "Resource", "NotResource"})
OF_STATEMENTS = LISTS | {"Sid", "Effect", "Principal", "NotPrincipal", "Condition"}
LATER = "(known after apply)"
"""An action, a resource or a principal that only the apply knows. It is like no other text."""

OF_POLICIES = frozenset({"Version", "Id", "Statement"})


def normalised(tree: Tree) -> Tree:
    """Returns a policy document with lists where one value may be alone; other values stay.

    Lists whose order means nothing are sorted, `Principal: "*"` is written as `{"AWS": ["*"]}`.
    """
    if not isinstance(tree, dict) or "Statement" not in tree:
        return tree
    statements = tree["Statement"]
    listed = statements if isinstance(statements, list) else [statements]
    return {**tree, "Statement": [_statement(statement) for statement in listed]}


def _statement(statement: Tree) -> Tree:
    if not isinstance(statement, dict):
        return statement
    said: dict[str, Tree] = {}
    for key, value in statement.items():
        if key in LISTS:
            said[key] = _listed(value)
        elif key in ("Principal", "NotPrincipal"):
            said[key] = _principals(value)
        elif key == "Condition":
            said[key] = _conditions(value)
        else:
            said[key] = value
    return said


def _listed(value: Tree) -> Tree:
    if isinstance(value, list):
        return sorted(value, key=str)
    return [value] if isinstance(value, str) else value


def _principals(value: Tree) -> Tree:
    if value == "*":
        return {"AWS": ["*"]}
    if isinstance(value, dict):
        return {kind: _listed(names) for kind, names in value.items()}
    return value


def _conditions(value: Tree) -> Tree:
    if not isinstance(value, dict):
        return value
    return {
        operator: {key: _words(values) for key, values in keys.items()} if isinstance(keys, dict) else keys
        for operator, keys in value.items()
    }


def _words(value: Tree) -> Tree:
    """Returns the values of a condition as text, as IAM reads them."""
    if isinstance(value, list):
        return sorted((_word(item) for item in value), key=str)
    word = _word(value)
    return [word] if isinstance(word, str) else word


def _word(value: Tree) -> Tree:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


Condition = tuple[str, str, frozenset[str]]
"""Operator and key in lower case, values."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a policy. Actions are in lower case, principals such as `AWS:arn:...`.

    What is UNKNOWN is `LATER`. With NotAction, NotResource or NotPrincipal the positive set is `*` and the
    negative one holds what is left out. `hidden` says that part of the statement may not be looked at.
    `source` is the statement in normal form, `label` its Sid or its place.
    """

    label: str
    allow: bool
    actions: frozenset[str]
    not_actions: frozenset[str]
    resources: frozenset[str]
    not_resources: frozenset[str]
    principals: frozenset[str]
    not_principals: frozenset[str]
    conditions: frozenset[Condition]
    hidden: bool
    source: dict[str, Tree]


def labelled(label: str, statements: Sequence[Statement]) -> Statement | None:
    """Returns the statement with a label; None without one."""
    return next((each for each in statements if each.label == label), None)


_PARTS = {
    "Action": [],
    "NotAction": ["all but"],
    "Resource": ["on"],
    "NotResource": ["on", "all but"],
}


def sentence_of(statement: Statement) -> str:
    """Returns a statement as a sentence: `Allow s3:GetObject on arn:aws:s3:::b/*`."""
    source = statement.source
    words = [str(source.get("Effect", "Allow"))]
    for key, before in _PARTS.items():
        if key in source:
            words += [*before, _together(source[key])]
    if statement.principals and not statement.not_principals:
        words.append(f"for {', '.join(sorted(each.partition(':')[2] for each in statement.principals))}")
    if statement.conditions:
        words.append("under a condition")
    return " ".join(words)


def told(value: Tree) -> Tree:
    """Returns a policy as sentences; other values as they are."""
    if not is_policy(value):
        return value
    sentences: list[Tree] = [sentence_of(statement) for statement in statements_of(value) or []]
    return sentences[0] if len(sentences) == 1 else sentences


def _together(value: Tree) -> str:
    items = value if isinstance(value, list) else [value]
    return ", ".join(
        LATER if each is UNKNOWN else each if isinstance(each, str) else "(sensitive)" for each in items
    )


def is_policy(tree: Tree) -> bool:
    """Returns whether it is a policy document."""
    content = tree.content if isinstance(tree, Document) else tree
    return isinstance(content, dict) and "Statement" in content


def is_readable(tree: Tree) -> bool:
    """Returns whether all of a policy document is grammar that is known here, in the usual case."""
    content = tree.content if isinstance(tree, Document) else tree
    if not isinstance(content, dict) or "Statement" not in content or content.keys() - OF_POLICIES:
        return False
    statements = content["Statement"]
    return all(
        _is_readable_statement(each)
        for each in (statements if isinstance(statements, list) else [statements])
    )


def _is_readable_statement(statement: Tree) -> bool:
    if not isinstance(statement, dict):
        return statement is UNKNOWN or isinstance(statement, Masked)
    effect = statement.get("Effect")
    is_known = effect in ("Allow", "Deny") or effect is UNKNOWN or isinstance(effect, Masked)
    return (
        is_known and not statement.keys() - OF_STATEMENTS and bool({"Action", "NotAction"} & statement.keys())
    )


def statements_of(tree: Tree) -> list[Statement] | None:
    """Returns the statements of a policy; None if it is not a policy document."""
    if not is_policy(tree):
        return None
    policy = normalised(tree.content if isinstance(tree, Document) else tree)
    listed = policy["Statement"] if isinstance(policy, dict) else None
    if not isinstance(listed, list):
        return None
    return [
        _statement_of(statement, str(place)) if isinstance(statement, dict) else _hidden(str(place))
        for place, statement in enumerate(listed)
    ]


def _hidden(label: str) -> Statement:
    nothing: frozenset[str] = frozenset()
    return Statement(label, True, nothing, nothing, nothing, nothing, nothing, nothing, frozenset(), True, {})


def _statement_of(source: dict[str, Tree], place: str) -> Statement:
    sid = source.get("Sid")
    not_actions = frozenset(action.lower() for action in _texts(source.get("NotAction")))
    not_resources = frozenset(_texts(source.get("NotResource")))
    not_principals = _principals_of(source.get("NotPrincipal"))
    everything = frozenset({"*"})
    return Statement(
        label=sid if isinstance(sid, str) and sid else place,
        allow=source.get("Effect") != "Deny",
        actions=everything
        if not_actions
        else frozenset(action.lower() for action in _texts(source.get("Action"))),
        not_actions=not_actions,
        resources=everything if not_resources else frozenset(_texts(source.get("Resource"))),
        not_resources=not_resources,
        principals=frozenset({"AWS:*"}) if not_principals else _principals_of(source.get("Principal")),
        not_principals=not_principals,
        conditions=frozenset(_conditions_of(source.get("Condition"))),
        hidden=holds(source, Masked, Special),
        source=source,
    )


def _texts(value: Tree) -> list[str]:
    items = value if isinstance(value, list) else [value]
    return [LATER if item is UNKNOWN else item for item in items if isinstance(item, str) or item is UNKNOWN]


def _principals_of(value: Tree) -> frozenset[str]:
    if value is UNKNOWN:
        return frozenset({f"AWS:{LATER}"})
    if not isinstance(value, dict):
        return frozenset()
    return frozenset(_principal(kind, name) for kind, names in value.items() for name in _texts(names))


def _principal(kind: str, name: str) -> str:
    """Returns a principal with its kind; an account id means its root, `*` of any kind everybody."""
    if name == "*":
        return "AWS:*"
    if kind == "AWS" and name.isdigit():
        return f"AWS:arn:aws:iam::{name}:root"
    return f"{kind}:{name}"


def _conditions_of(value: Tree) -> Iterator[Condition]:
    if isinstance(value, dict):
        for operator, keys in value.items():
            if isinstance(keys, dict):
                for key, values in keys.items():
                    yield operator.lower(), key.lower(), frozenset(_texts(values))


def holds(value: Tree, *kinds: type) -> bool:
    """Returns whether something of these kinds is in a value; `Special` is what is not known."""
    match value:
        case dict():
            return any(holds(item, *kinds) for item in value.values())
        case list():
            return any(holds(item, *kinds) for item in value)
        case Document():
            return holds(value.content, *kinds)
        case _:
            return isinstance(value, kinds)
