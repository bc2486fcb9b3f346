"""What IAM actions mean to a reviewer.

Access levels, which actions can be limited to resources, and the forms of ARNs are those of AWS's Service
Authorization Reference: `tables/iam.json`, which `make iam-levels` writes. It is
read when a policy is judged.
"""

import json
import re
from collections.abc import Mapping
from enum import IntEnum
from functools import cache, lru_cache
from typing import Any, Final

from review.comparing.policies import LATER
from review.comparing.policy_changes import matches
from review.table import TABLES

DATA: Final = (
    "appconfig:getlatestconfiguration",
    "athena:getqueryresults",
    "cassandra:select",
    "codecommit:getfile",
    "cognito-idp:listusers",
    "dynamodb:batchgetitem",
    "dynamodb:getitem",
    "dynamodb:getrecords",
    "dynamodb:partiqlselect",
    "dynamodb:query",
    "dynamodb:scan",
    "ebs:getsnapshotblock",
    "ec2:getpassworddata",
    "es:eshttpget",
    "kinesis:getrecords",
    "kms:decrypt",
    "lambda:getfunction",
    "logs:filterlogevents",
    "logs:getlogevents",
    "logs:getqueryresults",
    "neptune-db:readdataviaquery",
    "redshift-data:getstatementresult",
    "redshift:getclustercredentials",
    "s3-object-lambda:getobject",
    "s3:getobject",
    "s3:getobjectversion",
    "secretsmanager:batchgetsecretvalue",
    "secretsmanager:getsecretvalue",
    "ssm:getparameter",
    "ssm:getparameterhistory",
    "ssm:getparameters",
    "ssm:getparametersbypath",
    "timestream:select",
)
"""Actions that change nothing, but read what is stored or secret."""

RAISING: Final = (
    "iam:addclientidtoopenidconnectprovider",
    "iam:addusertogroup",
    "iam:attachgrouppolicy",
    "iam:attachrolepolicy",
    "iam:attachuserpolicy",
    "iam:createaccesskey",
    "iam:createloginprofile",
    "iam:createopenidconnectprovider",
    "iam:createpolicyversion",
    "iam:createsamlprovider",
    "iam:deletepermissionsboundary",
    "iam:deleterolepermissionsboundary",
    "iam:deleteuserpermissionsboundary",
    "iam:putgrouppolicy",
    "iam:putrolepermissionsboundary",
    "iam:putrolepolicy",
    "iam:putuserpermissionsboundary",
    "iam:putuserpolicy",
    "iam:setdefaultpolicyversion",
    "iam:updateassumerolepolicy",
    "iam:updateloginprofile",
    "iam:updateopenidconnectproviderthumbprint",
    "iam:updatesamlprovider",
    "organizations:detachpolicy",
    "sts:assumerole",
)
"""Actions by which whoever has them can get more than what is written down."""


_WILD: Final = re.compile(r"[*?]+")


class Level(IntEnum):
    """What an action lets one do, by AWS's access levels; the greater, the graver."""

    LIST = 0
    READ = 1
    TAGGING = 2
    WRITE = 3
    NOT_KNOWN = 4
    """AWS's list has no such action, so nobody here can tell."""
    PERMISSIONS = 5
    LATER = 6
    """The apply names the action, so it may be any."""


@lru_cache(maxsize=1)
def _table() -> dict[str, dict[str, Any]]:
    return dict(json.loads((TABLES / "iam.json").read_bytes()))


@cache
def _actions(service: str) -> Mapping[str, tuple[Level, bool]]:
    """Returns the level of each action of a service, and whether it can be limited to resources."""
    return {
        f"{service}:{name}": (Level[level.upper()], not mark)
        for said, names in _table()["actions"].get(service, {}).items()
        for level, _, mark in [said.partition(" ")]
        for name in names.split()
    }


@lru_cache(maxsize=4096)
def _matching(pattern: str) -> frozenset[tuple[Level, bool]]:
    """Returns what AWS says of the actions that a pattern includes; nothing if there is none.

    A service is named in full. Source: IAM User Guide, "Grammar of the IAM JSON policy language".
    """
    if is_everything(pattern):
        return frozenset({(Level.PERMISSIONS, True)})
    known = _actions(pattern.partition(":")[0])
    if pattern in known:
        return frozenset({known[pattern]})
    return frozenset(said for name, said in known.items() if matches(pattern, name))


def level_of(action: str) -> Level:
    """Returns the highest level among the actions that a pattern includes."""
    if action == LATER:
        return Level.LATER
    return max((level for level, _ in _matching(action)), default=Level.NOT_KNOWN)


def is_everything(action: str) -> bool:
    """Returns whether a pattern is every action of every service."""
    return bool(action) and not action.strip("*:")


def is_service(action: str) -> bool:
    """Returns whether a pattern is every action of one service: `s3:*`."""
    service, _, name = action.partition(":")
    return "*" in name and not name.strip("*?") and bool(service.strip("*"))


def passes_roles(action: str) -> bool:
    """Returns whether a pattern includes iam:PassRole without being a whole service."""
    return not is_everything(action) and not is_service(action) and matches(action, "iam:passrole")


def raises_permissions(action: str) -> bool:
    """Returns whether a pattern includes an escalating action without being a whole service."""
    return not is_service(action) and takes_in_raising(action)


def takes_in_raising(action: str) -> bool:
    """Returns whether a pattern includes an action that can escalate permissions."""
    return any(matches(action, raising) for raising in RAISING)


def reads_data(action: str) -> bool:
    """Returns whether a pattern includes an action that reads stored data or secrets."""
    return any(matches(action, reading) for reading in DATA)


def writes(action: str) -> bool:
    """Returns whether a pattern includes an action that changes resources it could name."""
    # AWS counts kms:Decrypt as writing, but who has it reads.
    return action not in DATA and any(
        level >= Level.TAGGING and is_limited for level, is_limited in _matching(action)
    )


@lru_cache(maxsize=4096)
def is_every_resource(resource: str) -> bool:
    """Returns whether it is all of a service or kind in any account: `arn:aws:dynamodb:*:*:table/*`."""
    parts = resource.split(":", 5)
    if len(parts) < 6:
        return "*" in resource
    service, account, rest = parts[2], parts[4], parts[5]
    if account.strip("*?"):
        return False
    arns = _table()["arns"]
    services = [each for each in arns if matches(service, each)] if _WILD.search(service) else [service]
    forms = [form for each in services for form in arns.get(each, "").split()]
    kind, tail = _WILD.split(rest, 1) if _WILD.search(rest) else (rest, None)
    # `table/*/index/x` is about every table, whatever follows; `table/app-*` about some.
    is_kind = tail is not None and (not tail or tail[0] in "/:")
    return any(
        matches(rest.replace("?", "*"), form) or (is_kind and form.partition("*")[0] == kind)
        for form in forms or ("*",)
    )
