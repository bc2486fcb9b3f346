"""Reads policies that `data.aws_iam_policy_document` makes only during the apply.

Terraform puts off the data source when part of it, such as the ARN of a new bucket, is not known yet. The
rest of its statements stands in the plan; the configuration says which resource takes the policy.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

from review.model import (
    UNKNOWN,
    Action,
    Block,
    Document,
    Path,
    PolicyDocument,
    ResourceChange,
    Tree,
)
from review.reading.references import References

TYPE: Final = "aws_iam_policy_document"

_SOURCES: Final = (
    "source_policy_documents",
    "override_policy_documents",
    "source_json",
    "override_json",
)
"""Attributes that add the statements of other policies."""

_LISTS: Final = {
    "Action": "actions",
    "NotAction": "not_actions",
    "Resource": "resources",
    "NotResource": "not_resources",
}


def with_documents(
    changes: Sequence[tuple[str, ResourceChange]], references: References
) -> tuple[list[ResourceChange], tuple[PolicyDocument, ...]]:
    """Returns changes with the policies that the apply reads for them, and the documents that nothing takes.

    `changes` are with their addresses as the plan has them.
    """
    documents = _Documents(changes, references)
    found = [documents.put_into(address, change) for address, change in changes]
    return found, tuple(documents.left())


class _Documents:
    def __init__(self, changes: Sequence[tuple[str, ResourceChange]], references: References) -> None:
        self._references = references
        self._taken: set[str] = set()
        self._read = {
            address: (change.address, change.after)
            for address, change in changes
            if change.type == TYPE and change.action is Action.READ and isinstance(change.after, dict)
        }

    def put_into(self, address: str, change: ResourceChange) -> ResourceChange:
        """Returns a change in which documents stand for the policies that are not known yet."""
        if not self._read or change.is_data or not isinstance(change.after, dict):
            return change
        after = change.after
        for path in list(_unknown(after)):
            if policy := self._policy(address, path):
                after = _put(after, path, policy)
        return replace(change, after=after)

    def left(self) -> Iterator[PolicyDocument]:
        """Yields the documents that were put nowhere."""
        for address, (shown, _) in self._read.items():
            if address not in self._taken:
                yield PolicyDocument(shown, _document(self._statements(address, set())))

    def _policy(self, address: str, path: Path) -> Document | None:
        found = self._references.of(address, path)
        documents = [each for each in found.targets if each in self._read]
        if not documents:
            return None
        statements = [each for document in documents for each in self._statements(document, self._taken)]
        # One document alone is the policy; of several, it may be each of them.
        if len(documents) < len(found.targets) or len(documents) > 1 or not found.complete:
            statements.append(UNKNOWN)
        return _document(statements)

    def _statements(self, address: str, taken: set[str], above: frozenset[str] = frozenset()) -> list[Tree]:
        """Returns a document's statements with those of its sources, and adds all of these to `taken`."""
        taken.add(address)
        _, after = self._read[address]
        found: list[Tree] = [
            _statement(each) if isinstance(each, dict) else UNKNOWN
            for each in _listed(after.get("statement"))
        ]
        for key in _SOURCES:
            listed = _listed(after.get(key))
            for each in listed:
                if isinstance(each, Document) and isinstance(each.content, dict):
                    found += _listed(each.content.get("Statement"))
            if UNKNOWN in listed:
                sources = self._references.of(address, (key,))
                read = [each for each in sources.targets if each in self._read and each not in above]
                for each in read:
                    found += self._statements(each, taken, above | {address})
                if len(read) < len(sources.targets) or not sources.complete:
                    found.append(UNKNOWN)
        return found


def _document(statements: list[Tree]) -> Document:
    return Document({"Version": "2012-10-17", "Statement": statements})


def _unknown(after: Block) -> Iterator[Path]:
    """Yields the paths of unknown attributes, and of those in blocks."""
    for key, value in after.items():
        if value is UNKNOWN:
            yield (key,)
        for place, block in enumerate(value if isinstance(value, list) else ()):
            if isinstance(block, dict):
                yield from ((key, place, name) for name, each in block.items() if each is UNKNOWN)


def _put(tree: Any, path: Path, value: Tree) -> Any:
    if not path:
        return value
    first, *rest = path
    if isinstance(tree, list):
        return [_put(each, tuple(rest), value) if place == first else each for place, each in enumerate(tree)]
    return {**tree, first: _put(tree[first], tuple(rest), value)}


def _statement(block: Block) -> Block:
    """Returns a block `statement` as the statement of a policy."""
    said: Block = {"Effect": block.get("effect") or "Allow"}
    if block.get("sid"):
        said["Sid"] = block["sid"]
    for key, name in _LISTS.items():
        if values := _values(block.get(name)):
            said[key] = values
    for key, name in (("Principal", "principals"), ("NotPrincipal", "not_principals")):
        if principals := _gathered(block.get(name), "type", "identifiers"):
            said[key] = principals
    if conditions := _conditions(block.get("condition")):
        said["Condition"] = conditions
    return said


def _conditions(blocks: Tree) -> Tree:
    by_test: dict[str, list[Tree]] = {}
    for each in _listed(blocks):
        test = each.get("test") if isinstance(each, dict) else None
        if not isinstance(test, str):
            return UNKNOWN
        by_test.setdefault(test, []).append(each)
    return {test: _gathered(found, "variable", "values") for test, found in by_test.items()}


def _gathered(blocks: Tree, key: str, values: str) -> Tree:
    """Returns the values of blocks by a key that several of them may have; UNKNOWN if a key is not known."""
    found: dict[str, list[Tree]] = {}
    for each in _listed(blocks):
        name = each.get(key) if isinstance(each, dict) else None
        if not isinstance(each, dict) or not isinstance(name, str):
            return UNKNOWN
        found.setdefault(name, []).extend(_values(each.get(values)))
    gathered: Block = {**found}
    return gathered


def _values(value: Tree) -> list[Tree]:
    """Returns texts as a policy has them. Source: the AWS provider's documentation of the data source."""
    return [each.replace("&{", "${") if isinstance(each, str) else each for each in _listed(value)]


def _listed(value: Tree) -> list[Tree]:
    return value if isinstance(value, list) else [] if value is None else [value]
