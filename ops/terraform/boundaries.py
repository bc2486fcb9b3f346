"""Compares the permissions boundaries that an account has with those that the settings ask for.

They are in the foundation, which is applied seldom and by an administrator. A service with new permissions
that is applied before it gets AccessDenied, although its own role has them.
Source: IAM User Guide, "Permissions boundaries for IAM entities" and "IAM JSON policy elements: Resource".
"""

import functools
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from ops.core.checkout import Checkout
from ops.core.clients import ambient_client
from ops.core.errors import OpsError
from ops.terraform.account_checks import Check, Client, Remark
from ops.terraform.synthesis import synthesize
from ops.terraform.workspace import OnLine
from stacks import kinds, naming
from stacks.kinds import Stack
from stacks.settings import Platform

_NAMED: Final = 3
"""How many missing permissions a message names."""

_ELEMENTS: Final = ("Action", "NotAction", "Resource", "NotResource")

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Grant:
    """One action on one resource under a condition, or a whole statement that has no such pairs."""

    action: str
    """In lower case: IAM compares actions so."""
    shown: str
    resource: str
    condition: str
    rest: str = ""

    def __str__(self) -> str:
        return self.rest or f"{self.shown} on {self.resource}"


def check(checkout: Checkout) -> Check:
    """Returns the check of a service stack's account; it compares with what is synthesized at that moment."""
    return Check(
        "boundaries",
        kinds.SERVICE,
        ("iam:GetPolicy", "iam:GetPolicyVersion"),
        "the account's foundation has all that services may do",
        functools.partial(_look, checkout),
    )


def note(checkout: Checkout, platform: Platform, target: Stack, say: OnLine) -> None:
    """Says if the account lacks what the synthesized stack may count on."""
    if target.kind in (kinds.DATA, kinds.SERVICE):
        for remark in check(checkout).remarks(platform, target, ambient_client):
            say(f"Note: {remark}")


def require(checkout: Checkout, platform: Platform, target: Stack, say: OnLine) -> None:
    """Synthesizes, and raises OpsError if the account lacks what the stack may count on.

    `say` gets why that could not be looked at.
    """
    synthesize(checkout)
    for remark in check(checkout).remarks(platform, target, ambient_client):
        if remark.level == "stops":
            raise OpsError(str(remark))
        say(f"Note: {remark}")


def lacking(wanted: Document, there: Document) -> tuple[str, ...]:
    """Returns what a policy document allows and another one does not; the other one may allow more."""
    missing = _beyond(_grants(wanted, "Allow"), _grants(there, "Allow"))
    refused = _beyond(_grants(there, "Deny"), _grants(wanted, "Deny"))
    return (*map(str, missing), *(f"{each}, which it denies" for each in refused))


def _look(checkout: Checkout, platform: Platform, target: Stack, client: Client) -> Iterator[Remark]:
    project, account_id = platform.project, target.account_id
    foundation = checkout.configuration(kinds.FOUNDATION.of_account(project, account_id).name)
    if not foundation.exists():
        yield Remark("unknown", "the permissions boundaries: nothing is synthesized yet", "make synth")
        return
    iam = client("iam", target.region)
    here = [each for each in platform.environments.values() if each.account_id == account_id]
    chats = any(each.alarms.slack or each.alarms.teams for each in here)
    names = (
        naming.workload_boundary(project.name),
        naming.job_boundary(project.name),
        *((naming.chat_boundary(project.name),) if chats else ()),
    )
    wanted = _synthesized(foundation, names)
    there = {name: _deployed(iam, f"arn:aws:iam::{account_id}:policy/{name}") for name in wanted}
    if not any(there.values()):
        return  # There is no foundation yet, which others say.
    for name, document in wanted.items():
        if missing := lacking(document, there[name] or {}):
            more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
            where = f"{f'ENV={target.environment.name} ' if target.environment else ''}STACK=foundation"
            yield Remark(
                "stops",
                f"The boundary {name} of account {account_id} is older than the settings, so AWS denies its "
                f"roles {', '.join(missing[:_NAMED])}{more}",
                f"Apply the foundation first: make plan {where} && make apply {where}",
            )


def _synthesized(foundation: Path, names: Iterable[str]) -> dict[str, Document]:
    """Returns the synthesized policies of some names; their documents refer to no other resource."""
    content = json.loads(foundation.read_bytes())
    policies = content.get("resource", {}).get("aws_iam_policy", {}).values()
    # Terraform reads "$${" as the text "${", which IAM uses for variables.
    texts = {each["name"]: each["policy"].replace("$${", "${").replace("%%{", "%{") for each in policies}
    return {name: json.loads(texts[name]) for name in names if name in texts}


def _deployed(iam: Any, arn: str) -> Document | None:
    """Returns the document of a policy's default version; None if there is no such policy."""
    try:
        version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        found = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]
    except iam.exceptions.NoSuchEntityException:
        return None
    document: Document = found["Document"]
    return document


def _grants(document: Document, effect: Literal["Allow", "Deny"]) -> list[_Grant]:
    found: list[_Grant] = []
    for statement in _listed(document.get("Statement", ())):
        if statement["Effect"] != effect:
            continue
        conditions = {
            operator: {key.lower(): sorted(map(str, _listed(value))) for key, value in keys.items()}
            for operator, keys in statement.get("Condition", {}).items()
        }
        condition = json.dumps(conditions, sort_keys=True) if conditions else ""
        if "Action" in statement and "Resource" in statement:
            found += (
                _Grant(action.lower(), action, resource, condition)
                for action in _listed(statement["Action"])
                for resource in _listed(statement["Resource"])
            )
        else:
            whole = {key: sorted(_listed(value)) for key, value in statement.items() if key in _ELEMENTS}
            found.append(_Grant("", "", "", condition, json.dumps(whole, sort_keys=True)))
    return found


def _beyond(grants: Iterable[_Grant], others: Sequence[_Grant]) -> Iterator[_Grant]:
    """Yields the grants that none of the others includes."""
    for grant in grants:
        if not any(_includes(other, grant) for other in others):
            yield grant


def _includes(wide: _Grant, narrow: _Grant) -> bool:
    return (
        wide.condition in ("", narrow.condition)
        and wide.rest == narrow.rest
        and _matches(wide.action, narrow.action)
        and _matches(wide.resource, narrow.resource)
    )


def _matches(wide: str, narrow: str) -> bool:
    """Whether a pattern has all that another one has: `*` stands for any text, `?` for one character."""
    return wide == narrow or _pattern(wide).fullmatch(narrow) is not None


@functools.cache
def _pattern(text: str) -> re.Pattern[str]:
    words = re.escape(text).replace(r"\*", ".*").replace(r"\?", "[^*]")
    return re.compile(words, re.DOTALL)


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else [value]
