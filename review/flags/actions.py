"""What IAM actions mean to a reviewer.

Source: AWS's "Service Authorization Reference" (access levels, and which actions know no resource).
"""

from typing import Final

from review.policy_changes import matches

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

RAISING: Final = (
    "iam:addusertogroup",
    "iam:attachgrouppolicy",
    "iam:attachrolepolicy",
    "iam:attachuserpolicy",
    "iam:createaccesskey",
    "iam:createloginprofile",
    "iam:createpolicyversion",
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
    "organizations:detachpolicy",
    "sts:assumerole",
)
"""Actions by which whoever has them can get more than what is written down."""


def is_everything(action: str) -> bool:
    """Whether it is every action of every service."""
    return action in ("*", "*:*")


def is_service(action: str) -> bool:
    """Whether it is every action of a service: `s3:*`."""
    service, _, name = action.partition(":")
    return name == "*" and service != "*"


def passes_roles(action: str) -> bool:
    """Whether it takes in iam:PassRole."""
    return not is_everything(action) and matches(action, "iam:passrole")


def raises_permissions(action: str) -> bool:
    """Whether it takes in an action by which permissions can be raised."""
    return any(matches(action, raising) for raising in RAISING)


def writes(action: str) -> bool:
    """Whether it changes things that could have been named."""
    name = action.partition(":")[2]
    if name.startswith(READING):
        return False
    return not any(matches(pattern, action) for pattern in WITHOUT_RESOURCE)


def is_every_resource(resource: str) -> bool:
    """Whether it is everything, or everything of a service in any account: `arn:aws:s3:::*`."""
    if resource == "*":
        return True
    parts = resource.split(":", 5)
    return len(parts) == 6 and parts[4] in ("", "*") and parts[5].replace("/", "") in ("*", "**")
