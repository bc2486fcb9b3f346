"""What IAM actions mean to a reviewer.

Source: AWS's "Service Authorization Reference" (access levels, and which actions know no resource).
"""

import re
from typing import Final

from review.comparing.policy_changes import matches

READING: Final = (
    "batchcheck",
    "batchget",
    "check",
    "decode",
    "describe",
    "detect",
    "discover",
    "estimate",
    "filter",
    "get",
    "head",
    "list",
    "lookup",
    "preview",
    "query",
    "read",
    "scan",
    "search",
    "select",
    "simulate",
    "test",
    "validate",
    "view",
)
"""How the names of actions that change nothing begin."""

WITHOUT_RESOURCE: Final = (
    "acm:requestcertificate",
    "cloudwatch:putmetricdata",
    "ec2messages:*",
    "ecs:deregistertaskdefinition",
    "ecs:registertaskdefinition",
    "logs:putresourcepolicy",
    "ses:sendemail",
    "sns:unsubscribe",
    "ssm:updateinstanceinformation",
    "ssmmessages:*",
    "xray:puttelemetryrecords",
    "xray:puttracesegments",
)
"""Actions that can only be allowed on `*`; there is nothing to be narrowed."""

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


KINDLESS: Final = frozenset({"codecommit", "execute-api", "s3", "sns", "sqs"})
"""Services in whose ARNs the name stands alone, without the kind of thing before it."""

_KIND_OF_ALL: Final = re.compile(r"/?[a-z0-9-]+[/:][*?]+(?:[/:].*)?|[a-z0-9-]*[*?]+.*")
_ALL: Final = re.compile(r"[*?]+(?:[/:].*)?")


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
    name = action.partition(":")[2]
    if name.startswith(READING):
        return False
    return not any(matches(pattern, action) for pattern in WITHOUT_RESOURCE)


def is_every_resource(resource: str) -> bool:
    """Returns whether it is all of a service or kind in any account: `arn:aws:dynamodb:*:*:table/*`."""
    parts = resource.split(":", 5)
    if len(parts) < 6:
        return "*" in resource
    service, account, rest = parts[2], parts[4], parts[5]
    if account.strip("*?"):
        return False
    return bool((_ALL if service in KINDLESS else _KIND_OF_ALL).fullmatch(rest))
