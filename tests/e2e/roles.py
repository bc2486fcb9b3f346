"""What the policies of a role allow, as IAM decides it without conditions on the request.

Source: AWS IAM User Guide, "Policy evaluation logic"; names of actions are compared without case.
"""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from ops.core.clients import Credentials, isolated_client
from ops.local.embedded import Embedded
from tests.e2e import calls
from tests.e2e.calls import Call

WITHOUT_PERMISSION = "sts:GetCallerIdentity"
"""No policy has to allow it. Source: AWS STS API Reference, "GetCallerIdentity"."""


@dataclass(frozen=True)
class Role:
    """A role and the statements of its policies. Resources and actions are lists.

    `longest` is for how many seconds it can be assumed.
    """

    name: str
    longest: int
    subjects: tuple[str, ...]
    statements: tuple[Mapping[str, Any], ...]

    def allows(self, call: Call) -> bool:
        """Whether a statement allows the call, on one of its resources, and none denies it."""
        if call.action == WITHOUT_PERMISSION:
            return True
        return self._says("Allow", call) and not self._says("Deny", call)

    def _says(self, effect: str, call: Call) -> bool:
        return any(
            statement["Effect"] == effect
            and any(fnmatchcase(call.action.lower(), action.lower()) for action in statement["Action"])
            and any(
                fnmatchcase(resource, pattern)
                for pattern in statement["Resource"]
                for resource in ("*", *call.resources)
            )
            for statement in self.statements
        )


def assumed_role(embedded: Embedded, region: str, key: str) -> tuple[str, str]:
    """The account and the name of the role that a key was given for."""
    sts = isolated_client("sts", region, embedded.endpoint, Credentials(key, "embedded", "token"))
    arn = sts.get_caller_identity()["Arn"]
    return arn.split(":")[4], arn.split("/")[1]


def read_role(iam: Any, name: str) -> Role:
    """A role as IAM has it, with the policies attached to it and those of its own."""
    role = iam.get_role(RoleName=name)["Role"]
    subjects = tuple(_subjects(role["AssumeRolePolicyDocument"]))
    return Role(name, role["MaxSessionDuration"], subjects, tuple(_statements(iam, name)))


def assumed_by_jobs(embedded: Embedded, region: str, memory: Path, first: int) -> set[tuple[str, str]]:
    """The roles that jobs assumed from a count of requests on, by account; fails for one that admits not.

    The embedded AWS takes any token for any time; on AWS, the role is asked.
    """
    assumed = set()
    for arn, token, seconds in calls.assumed_by_token(memory, first):
        account, name = arn.split(":")[4], arn.rpartition("/")[2]
        role = read_role(embedded.client("iam", region, account), name)
        subject = json.loads(base64.urlsafe_b64decode(token.split(".")[1]))["sub"]
        assert subject in role.subjects, (role.name, subject)
        assert seconds <= role.longest, role.name
        assumed.add((account, role.name))
    return assumed


def done_by_roles(
    embedded: Embedded, region: str, memory: Path, first: int
) -> dict[tuple[str, str], list[Call]]:
    """What each role, by account, did from a count of requests on; fails for what it does not allow.

    The embedded AWS allows everything; on AWS, the policies are asked.
    """
    acting = [key for key in calls.keys(memory, first) if not key.startswith("AKIA")]
    who = {key: assumed_role(embedded, region, key) for key in acting}
    done: dict[tuple[str, str], list[Call]] = {}
    for call in calls.calls(memory, {key: account for key, (account, _) in who.items()}, first):
        if call.key in who:
            done.setdefault(who[call.key], []).append(call)
    for (account, name), made in done.items():
        role = read_role(embedded.client("iam", region, account), name)
        denied = {(call.action, call.resources) for call in made if not role.allows(call)}
        assert denied == set(), name
    return done


def beyond(role: Role, made: Iterable[Call], key: str, bucket: str) -> set[str]:
    """The actions among what a key did that a role would not have been allowed.

    Without those on the foundation's state: bootstrap applies the foundation again, which no deployment does.
    """
    found = [call for call in made if call.key == key]
    assert len(found) > 50
    state = f"arn:aws:s3:::{bucket}/foundation.tfstate"
    return {call.action for call in found if not role.allows(call) and state not in call.resources}


def _statements(iam: Any, role: str) -> Iterator[Mapping[str, Any]]:
    for attached in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
        arn = attached["PolicyArn"]
        version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        yield from iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"][
            "Statement"
        ]
    for own in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        yield from iam.get_role_policy(RoleName=role, PolicyName=own)["PolicyDocument"]["Statement"]


def _subjects(trust: Mapping[str, Any]) -> Iterator[str]:
    for statement in trust["Statement"]:
        for operator, values in statement.get("Condition", {}).items():
            for key, value in values.items():
                if operator == "StringEquals" and key.endswith(":sub"):
                    yield from [value] if isinstance(value, str) else value
