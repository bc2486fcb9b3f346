"""Judges policy documents that only the apply reads, by the statements that the plan contains.

Terraform puts off `data.aws_iam_policy_document` when part of it, such as the ARN of a new bucket, is not
known yet. The rest of its statements stands in the plan.
"""

from collections.abc import Iterator, Sequence

from review.comparing.policies import is_policy, told
from review.flags.permissions import policy_flags
from review.flags.subject import Subject, blocks
from review.model import ABSENT, UNKNOWN, Action, Block, Concern, Document, Flag, Plan, Tree

TYPE = "aws_iam_policy_document"

_LISTS = {
    "Action": "actions",
    "NotAction": "not_actions",
    "Resource": "resources",
    "NotResource": "not_resources",
}


def deferred_documents(stack: str, plan: Plan, subjects: Sequence[Subject]) -> Iterator[Flag]:
    """Flags what deferred policy documents allow that no policy which they may replace allowed before."""
    former: list[Tree] = [
        statement
        for subject in subjects
        for key, value in subject.before.items()
        if is_policy(value) and subject.after.get(key, ABSENT) is UNKNOWN
        for statement in _statements(value)
    ]
    for change in plan.changes:
        if change.type != TYPE or change.action is not Action.READ or not isinstance(change.after, dict):
            continue
        statements: list[Tree] = [_statement(block) for block in blocks(change.after.get("statement"))]
        if statements:
            subject = Subject(stack, change, {"statement": former}, change.after, frozenset())
            before, after = Document({"Statement": former}), Document({"Statement": statements})
            yield from policy_flags(subject, ("policy",), before, after)
            reason = "The apply reads these statements; what is not known yet is left out."
            yield subject.flag(
                Concern.PERMISSION, "Policy document", reason, ("statement",), ABSENT, told(after), weight=24
            )


def _statements(policy: Tree) -> list[Tree]:
    content = policy.content if isinstance(policy, Document) else policy
    found = content.get("Statement") if isinstance(content, dict) else None
    return [*found] if isinstance(found, list) else [found]


def _statement(block: Block) -> Block:
    """Returns a block `statement` as the statement of a policy; what is not known is left out."""
    said: Block = {"Effect": block.get("effect") or "Allow"}
    if isinstance(block.get("sid"), str) and block["sid"]:
        said["Sid"] = block["sid"]
    for key, name in _LISTS.items():
        listed = block.get(name)
        known: list[Tree] = (
            [each for each in listed if isinstance(each, str)] if isinstance(listed, list) else []
        )
        if known:
            said[key] = known
    for key, name in (("Principal", "principals"), ("NotPrincipal", "not_principals")):
        found: Block = {
            str(each.get("type")): each.get("identifiers", ABSENT) for each in blocks(block.get(name))
        }
        if found:
            said[key] = found
    conditions: Block = {}
    for each in blocks(block.get("condition")):
        keys = conditions.setdefault(str(each.get("test")), {})
        if isinstance(keys, dict):
            keys[str(each.get("variable"))] = each.get("values", ABSENT)
    if conditions:
        said["Condition"] = conditions
    return said
