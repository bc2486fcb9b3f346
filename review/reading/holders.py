"""Finds out who has the permissions that an identity policy gives: roles, users and groups."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from review.model import ABSENT, UNKNOWN, Block, Holder, Tree
from review.reading.entries import Entry
from review.reading.masking import marks_of, tree_of
from review.reading.references import References
from review.reading.secret_detection import redact

_POLICY: Final = "aws_iam_policy"
_KINDS: Final = ("role", "user", "group")
_HOLDERS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    _POLICY: (),
    "aws_iam_policy_attachment": tuple((f"{kind}s", kind) for kind in _KINDS),
    **{f"aws_iam_{kind}": (("name", kind),) for kind in _KINDS},
    **{f"aws_iam_{kind}_policy": ((kind, kind),) for kind in _KINDS},
    **{f"aws_iam_{kind}_policy_attachment": ((kind, kind),) for kind in _KINDS},
}
"""The attributes by which a type names who has the policy, and what kind of identity that is."""

_READ: Final = ("arn", "name", "policy_arn", "managed_policy_arns", *_KINDS, *(f"{kind}s" for kind in _KINDS))


@dataclass(frozen=True, slots=True)
class _Known:
    """A policy, an identity or an attachment, with its values after the plan."""

    address: str
    type: str
    is_new: bool
    values: Block


class Holders:
    """The roles, users and groups that have the policies of a plan, whether it changes them or not."""

    def __init__(self, entries: Sequence[Entry], references: References) -> None:
        self._references = references
        self._entries = {each.address: each for each in _known(entries)}
        self._named = {(each.type, str(each.values.get("name"))): each for each in self._entries.values()}
        self._attached: dict[str, set[Holder]] = {}
        self._known: dict[str, Tree] = {}
        policies = {
            str(each.values.get("arn")): each.address
            for each in self._entries.values()
            if each.type == _POLICY
        }
        for entry in self._entries.values():
            for address in self._policies(entry, policies):
                self._attached.setdefault(address, set()).update(self._holders(entry))
                policy = self._entries.get(address)
                if policy and not policy.is_new and entry.type.endswith("_attachment"):
                    self._known[entry.address] = policy.values.get("policy", ABSENT)

    def of(self, address: str) -> tuple[Holder, ...]:
        """Returns who has what the policy of a resource allows; empty for what is no identity policy."""
        entry = self._entries.get(address)
        if entry is None:
            return ()
        if entry.type != _POLICY:
            return tuple(self._holders(entry))
        if found := self._attached.get(address):
            return tuple(sorted(found, key=lambda each: each.name))
        name = entry.values.get("name")
        return (Holder(f"whoever has policy {name if isinstance(name, str) else 'here'}", entry.is_new),)

    def attached(self, address: str) -> Tree:
        """Returns the policy that an attachment attaches; ABSENT unless it is in the plan and not new."""
        return self._known.get(address, ABSENT)

    def _policies(self, entry: _Known, known: Mapping[str, str]) -> Iterator[str]:
        """Yields the addresses of the policies that an entry attaches."""
        arns = entry.values.get("managed_policy_arns")
        named = [entry.values.get("policy_arn"), *(arns if isinstance(arns, list) else [])]
        yield from (known[arn] for arn in named if isinstance(arn, str) and arn in known)
        if entry.type.endswith("_attachment") and not isinstance(named[0], str):
            yield from self._references.of(entry.address, ("policy_arn",)).targets

    def _holders(self, entry: _Known) -> Iterator[Holder]:
        for key, kind in _HOLDERS[entry.type]:
            value = entry.values.get(key)
            listed = value if isinstance(value, list) else [value]
            names = [each for each in listed if isinstance(each, str)]
            for name in names:
                known = self._named.get((f"aws_iam_{kind}", name))
                yield Holder(f"{kind} {name}", known is not None and known.is_new)
            if key == "name" and not names:
                yield Holder(f"{kind} {redact(entry.address)}", entry.is_new)
            elif UNKNOWN in listed or (key == kind and not names):
                yield from self._referred_to(entry, key)

    def _referred_to(self, entry: _Known, key: str) -> Iterator[Holder]:
        """Yields the identities that an attribute refers to, whose names are known only after the apply."""
        targets = self._references.of(entry.address, (key,)).targets
        found = [self._entries[each] for each in targets if each in self._entries]
        holders = [holder for each in found for holder in self._holders(each)]
        if len(holders) > 1 and key in _KINDS:
            # One attribute names one of them, and the plan does not tell which.
            names = ", ".join(each.name for each in holders)
            holders = [Holder(f"one of {names}", all(each.is_new for each in holders))]
        yield from holders or [Holder("", is_new=False)]


def _known(entries: Sequence[Entry]) -> Iterator[_Known]:
    for entry in entries:
        change, after = entry.change, entry.change.get("after")
        if entry.type not in _HOLDERS or not isinstance(after, Mapping) or entry.deposed:
            continue
        marks = marks_of(change)
        read = (*_READ, "policy") if entry.type == _POLICY else _READ
        values = tree_of(
            *(
                {key: each[key] for key in read if key in each} if isinstance(each, dict) else each
                for each in (after, marks, change.get("after_unknown"))
            )
        )
        if isinstance(values, dict):
            yield _Known(entry.address, entry.type, change.get("before") is None, values)
