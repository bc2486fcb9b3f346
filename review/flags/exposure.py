"""Flags what this plan makes reachable or readable from outside, and whom it names to get access."""

import re
from collections.abc import Iterator

from review.flags.ingress import ingress
from review.flags.subject import Subject, hidden, values
from review.model import ABSENT, UNKNOWN, Concern, Flag, Masked, Tree, blocks, is_nothing

ANYWHERE = frozenset({"0.0.0.0/0", "::/0"})
DESTINATIONS = ("destination_cidr_block", "destination_ipv6_cidr_block", "cidr_block", "ipv6_cidr_block")


SHARED = {
    "aws_ami_launch_permission": "account_id",
    "aws_cloudwatch_log_subscription_filter": "destination_arn",
    "aws_db_cluster_snapshot": "shared_accounts",
    "aws_db_snapshot": "shared_accounts",
    "aws_ecr_replication_configuration": "replication_configuration.rule.destination.registry_id",
    "aws_ram_principal_association": "principal",
    "aws_snapshot_create_volume_permission": "account_id",
    "aws_vpc_peering_connection": "peer_owner_id",
}
"""Type to what says with which account it is shared, or to which its content is sent."""

IDENTITIES = {
    "aws_cloudwatch_event_permission": ("principal",),
    "aws_eks_access_entry": ("principal_arn",),
    "aws_eks_access_policy_association": ("principal_arn",),
    "aws_kms_grant": ("grantee_principal", "retiring_principal"),
    "aws_lambda_layer_version_permission": ("principal",),
    "aws_lambda_permission": ("principal", "source_account", "source_arn"),
    "aws_ram_principal_association": ("principal",),
    "aws_vpc_endpoint_service_allowed_principal": ("principal_arn",),
}
"""Attributes that name who gets access: an account, an ARN, or a service of AWS's."""

_ACCOUNT = re.compile(r"(?:arn:[a-z-]+:[a-z0-9-]+:[^:]*:)?(\d+)(?::|$)")


def exposure(subject: Subject) -> Iterator[Flag]:
    """Flags everything that this plan exposes, except by policies."""
    yield from ingress(subject)
    yield from _shared(subject)
    yield from _identities(subject)
    match subject.change.type:
        case "aws_s3_bucket_acl" | "aws_s3_bucket":
            yield from _grants(subject)
        case "aws_lambda_permission" | "aws_lambda_layer_version_permission":
            yield from _invocation(subject)
        case "aws_route" | "aws_route_table" | "aws_default_route_table":
            yield from _routes(subject)
        case "aws_eks_cluster":
            yield from _cluster_cidrs(subject)
        case "aws_ecrpublic_repository" if subject.is_new:
            reason = "Everybody can pull the images of a public repository."
            name = subject.after.get("repository_name", ABSENT)
            yield subject.flag(Concern.EXPOSURE, "Made public", reason, ("repository_name",), ABSENT, name)


def _shared(subject: Subject) -> Iterator[Flag]:
    """Flags what is shared with, or sent to, another account than the plan's own."""
    dotted = SHARED.get(subject.change.type)
    if dotted is None or not subject.stays:
        return
    path = tuple(dotted.split("."))
    before = _each(subject.before, path)
    for value in _each(subject.after, path):
        if value in before or value == "all":
            continue
        if hidden(value):
            if not subject.is_new:
                yield subject.unknown("Shared with another account", path, before, value)
            continue
        account = _ACCOUNT.match(value) if isinstance(value, str) else None
        shown = before[0] if len(before) == 1 else before or ABSENT
        if account is None or account[1] not in subject.accounts:
            reason = "Another account gets access to it, or to its content."
            yield subject.flag(Concern.EXPOSURE, "Shared with another account", reason, path, shown, value)
        else:
            reason = "The plan's own account gets access to it."
            yield subject.flag(Concern.EXPOSURE, "Shared", reason, path, shown, value, weight=20)


def _identities(subject: Subject) -> Iterator[Flag]:
    """Flags accounts and principals that get access without a policy."""
    for key in IDENTITIES.get(subject.change.type, ()) if subject.stays else ():
        before, after = subject.sides(key)
        if before == after:
            continue
        shown = (key,), before, after
        if isinstance(after, Masked):
            yield subject.unknown("Access for another account", *shown)
        elif not isinstance(after, str) or not (match := _ACCOUNT.match(after)):
            continue
        elif match[1] in subject.accounts:
            reason = "A principal of the plan's own account gets access."
            yield subject.flag(Concern.PERMISSION, "Access", reason, *shown, weight=20)
        else:
            reason = "An AWS account that the plan does not show to be its own gets access."
            yield subject.flag(Concern.PERMISSION, "Access for another account", reason, *shown)


def _each(tree: Tree, path: tuple[str, ...]) -> list[Tree]:
    """Returns the values at a path, those of lists one by one, without unset ones."""
    found: list[Tree] = []
    for value in values(tree, path):
        found += value if isinstance(value, list) else [value]
    return [value for value in found if not is_nothing(value)]


def _grants(subject: Subject) -> Iterator[Flag]:
    """Flags a bucket's grants to everybody, to everybody with an AWS account, or to another account."""
    new = sorted(_grantees(subject.after) - _grantees(subject.before)) if subject.stays else []
    path = ("grant",) if subject.change.type == "aws_s3_bucket" else ("access_control_policy", "grant")
    public = [name for name in new if name.endswith(("/AllUsers", "/AuthenticatedUsers"))]
    if public:
        reason = "The access control list now lets others read or write."
        yield subject.flag(Concern.EXPOSURE, "Made public", reason, path, ABSENT, public[0])
    for name in new:
        if "://" not in name:
            reason = "The access control list now lets another account in."
            yield subject.flag(Concern.EXPOSURE, "Shared with another account", reason, path, ABSENT, name)


def _grantees(resource: dict[str, Tree]) -> set[str]:
    """Returns the grantees except the owner: groups by address, accounts by canonical id."""
    found: set[str] = set()
    for grant in blocks(resource.get("grant")):
        found |= {_name(grant.get(key)) for key in ("uri", "id")}
    for policy in blocks(resource.get("access_control_policy")):
        owners = {_name(owner.get("id")) for owner in blocks(policy.get("owner"))}
        for grant in blocks(policy.get("grant")):
            for grantee in blocks(grant.get("grantee")):
                names = {_name(grantee.get(key)) for key in ("uri", "id", "email_address")}
                found |= names - owners
    return found - {""}


def _name(value: Tree) -> str:
    return value if isinstance(value, str) else ""


def _invocation(subject: Subject) -> Iterator[Flag]:
    if not subject.stays or not _is_for_all(subject.after) or _is_for_all(subject.before):
        return
    yield subject.flag(
        Concern.EXPOSURE,
        "Public by policy",
        "Every AWS account may now use it.",
        ("principal",),
        subject.before.get("principal", ABSENT),
        subject.after.get("principal", ABSENT),
    )


def _is_for_all(permission: dict[str, Tree]) -> bool:
    limits = ("source_arn", "source_account", "principal_org_id", "organization_id")
    return permission.get("principal") == "*" and all(is_nothing(permission.get(key)) for key in limits)


def _routes(subject: Subject) -> Iterator[Flag]:
    """Flags routes to the internet that this plan adds to an existing route table."""
    if not subject.stays:
        return
    if subject.change.type == "aws_route":
        if subject.is_new and hidden(subject.after.get("route_table_id", UNKNOWN)):
            return
        before, after = [subject.before], [subject.after]
    else:
        if subject.is_new:
            return
        before, after = blocks(subject.before.get("route")), blocks(subject.after.get("route"))
    if any(_is_way_out(route) for route in after) and not any(_is_way_out(route) for route in before):
        route = next(route for route in after if _is_way_out(route))
        shown = {key: route[key] for key in (*DESTINATIONS, "gateway_id") if not is_nothing(route.get(key))}
        reason = "The subnets with this route table are now reachable from the internet."
        yield subject.flag(Concern.EXPOSURE, "Route to the internet", reason, ("route",), ABSENT, shown)


def _is_way_out(route: dict[str, Tree]) -> bool:
    gateway = route.get("gateway_id")
    destinations = [route.get(key) for key in DESTINATIONS]
    return any(isinstance(each, str) and each in ANYWHERE for each in destinations) and (
        gateway is UNKNOWN or (isinstance(gateway, str) and gateway.startswith("igw-"))
    )


def _cluster_cidrs(subject: Subject) -> Iterator[Flag]:
    before = _cidrs(subject.before)
    after = _cidrs(subject.after)
    if subject.stays and not subject.is_new and after & ANYWHERE and not before & ANYWHERE:
        reason = "The cluster's API is now reachable from every address."
        path = ("vpc_config", "public_access_cidrs")
        yield subject.flag(
            Concern.EXPOSURE, "Open to the world", reason, path, [*sorted(before)], [*sorted(after)]
        )


def _cidrs(resource: dict[str, Tree]) -> set[str]:
    return {
        cidr
        for block in blocks(resource.get("vpc_config"))
        if isinstance(listed := block.get("public_access_cidrs"), list)
        for cidr in listed
        if isinstance(cidr, str)
    }
