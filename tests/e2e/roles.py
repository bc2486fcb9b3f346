"""What roles did, and what they could have done."""

import json
import os
import re
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ops.local.embedded import Embedded
from ops.local.embedded_server.authorization.calls import Call
from ops.local.embedded_server.authorization.policies import Role, matching, names_action
from tests.costs import PERMISSIONS
from tests.e2e import calls
from tests.e2e.calls import Recorded


def read_role(iam: Any, account_id: str, name: str) -> Role:
    """A role as IAM has it, with the policies attached to it and those of its own."""
    statements: list[dict[str, Any]] = []
    for attached in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
        arn = attached["PolicyArn"]
        version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        found = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]
        statements += found["Document"]["Statement"]
    for own in iam.list_role_policies(RoleName=name)["PolicyNames"]:
        statements += iam.get_role_policy(RoleName=name, PolicyName=own)["PolicyDocument"]["Statement"]
    return Role(account_id, name, tuple(statements))


def done_by_roles(memory: Path, first: int = 0) -> dict[tuple[str, str], list[Call]]:
    """What each role, by account, did from a count on; fails if anything was refused."""
    done: dict[tuple[str, str], list[Call]] = {}
    refused = []
    for each in calls.recorded(memory, first):
        if each.role:
            done.setdefault((each.account, each.role), []).append(each.call)
            if not each.allowed:
                refused.append((each.role, each.call))
    assert refused == []
    return done


def beyond(role: Role, made: Iterable[Recorded], bucket: str, s3: Any) -> set[str]:
    """The actions of a person in the role's account that the role would not have been allowed.

    Without those on the foundation's state: bootstrap applies the foundation again, which no deployment does.
    The client is one of the account that `bucket`, with the states, belongs to.
    """
    policy = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"]
    found = [each.call for each in made if each.role is None and each.account == role.account_id]
    assert len(found) > 50
    state = f"arn:aws:s3:::{bucket}/foundation.tfstate"
    others = (call for call in found if not any(each.startswith(state) for each in call.resources))
    return {
        call.action
        for call in others
        if not role.allows(call, policy if any(f":::{bucket}" in each for each in call.resources) else ())
    }


def note_permissions(
    embedded: Embedded, region: str, memory: Path, accounts: Iterable[str], project: str = "oaktree"
) -> None:
    """Write down which permissions of the project's roles were needed, for the end of the test run.

    What a person did counts as done by the deploy role, which could have done it.
    """
    lines = []
    made = list(calls.recorded(memory))
    for account in accounts:
        iam = embedded.client("iam", region, account)
        for found in iam.list_roles()["Roles"]:
            name = found["RoleName"]
            if not name.startswith(f"{project}-"):
                continue
            role = read_role(iam, account, name)
            doers = {name, None} if name.endswith("-github-deploy") else {name}
            done = [each.call for each in made if each.account == account and each.role in doers]
            # Roles of environments differ by the environment's name only, those of projects by theirs.
            kind = re.sub(r"^(dev|staging|prod)-", "<env>-", name.removeprefix(f"{project}-"))
            for statement in role.statements:
                for action in statement["Action"] if statement["Effect"] == "Allow" else ():
                    fitting = [call for call in done if names_action(action, call.action)]
                    needed = any(any(matching("Allow", [statement], call)) for call in fitting)
                    lines.append(f"oaktree-{kind}\t{action}\t{'needed' if needed else ''}\n")
    file = PERMISSIONS / f"{os.getpid()}-{time.monotonic_ns()}.tsv"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(lines))
