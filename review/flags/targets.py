"""Flags changed targets: DNS names, traffic, alarms, keys, accounts."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from review.flags.subject import Subject, hidden, values
from review.model import ABSENT, UNKNOWN, Concern, Flag, Tree, is_nothing


@dataclass(frozen=True, slots=True)
class Target:
    """An attribute, by its path with dots, that says where something leads.

    `only_known`: AWS or another resource of the plan may fill it in, so an unknown value says nothing.
    `may_grow`: what is added to a list does no harm, only what is taken from it.
    """

    path: str
    concern: Concern
    title: str
    reason: str
    only_known: bool = False
    may_grow: bool = False


def _run(title: str, reason: str, *paths: str) -> tuple[Target, ...]:
    return tuple(Target(path, Concern.RUNTIME, title, reason) for path in paths)


_TRAFFIC = "Traffic sent elsewhere"
_REQUESTS = "Requests newly go to other targets."
_LISTENER = ("target_group_arn", "forward.target_group.arn", "redirect.host")
_NETWORK = "What runs newly is in other subnets, or behind other security groups."
_KEY = "What is written from now on is encrypted with another key, which somebody else may hold."
_ALARM = "The alarm newly goes off at something else, or later."

TARGETS = {
    "aws_alb_listener": _run(_TRAFFIC, _REQUESTS, *(f"default_action.{path}" for path in _LISTENER)),
    "aws_cloudwatch_metric_alarm": (
        *(
            Target(path, Concern.PROTECTION, "Alarm changed", _ALARM, only_known=True)
            for path in (
                "threshold",
                "comparison_operator",
                "evaluation_periods",
                "datapoints_to_alarm",
                "metric_name",
                "namespace",
                "statistic",
                "period",
                "treat_missing_data",
                "dimensions",
            )
        ),
        Target(
            "alarm_actions",
            Concern.PROTECTION,
            "Alarm changed",
            "Who was told by the alarm is told no longer.",
            only_known=True,
            may_grow=True,
        ),
    ),
    "aws_ecs_service": (
        *_run(
            "Load balancer changed",
            "The service newly gets its requests from elsewhere, or none.",
            "load_balancer.target_group_arn",
        ),
        *_run(
            "Network changed",
            _NETWORK,
            "network_configuration.security_groups",
            "network_configuration.subnets",
        ),
    ),
    "aws_kms_alias": (Target("target_key_id", Concern.PROTECTION, "Encryption key changed", _KEY),),
    "aws_lambda_function": _run(
        "Network changed", _NETWORK, "vpc_config.security_group_ids", "vpc_config.subnet_ids"
    ),
    "aws_lb_listener": _run(_TRAFFIC, _REQUESTS, *(f"default_action.{path}" for path in _LISTENER)),
    "aws_lb_listener_rule": _run(_TRAFFIC, _REQUESTS, *(f"action.{path}" for path in _LISTENER)),
    "aws_route53_record": _run(
        "Name leads elsewhere", "Who asks for the name is newly sent elsewhere.", "records", "alias.name"
    ),
}
"""Type to the attributes that say where it leads."""

KEYS = tuple(
    Target(path, Concern.PROTECTION, "Encryption key changed", _KEY, only_known=True)
    for path in (
        "kms_key_id",
        "kms_key_arn",
        "kms_master_key_id",
        "kms_key",
        "encryption_configuration.kms_key",
        "server_side_encryption.kms_key_arn",
        "rule.apply_server_side_encryption_by_default.kms_master_key_id",
    )
)
"""Attributes of any type that name the key."""

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

_ACCOUNT = re.compile(r"(?:arn:[^:]*:[^:]*:[^:]*:)?(\d+)(?::.*)?")


def targets(subject: Subject) -> Iterator[Flag]:
    """Flags what leads somewhere else than before, or to another account."""
    if not subject.stays:
        return
    if not subject.is_new:
        for target in (*TARGETS.get(subject.change.type, ()), *KEYS):
            yield from _moved(subject, target)
    dotted = SHARED.get(subject.change.type)
    if dotted:
        yield from _shared(subject, tuple(dotted.split(".")))


def _moved(subject: Subject, target: Target) -> Iterator[Flag]:
    path = tuple(target.path.split("."))
    before, after = _each(subject.before, path), _each(subject.after, path)
    if not before or before == after:
        return
    if target.only_known and (not after or any(value is UNKNOWN for value in after)):
        return
    if all(value in after for value in before) and (target.may_grow or len(before) == len(after)):
        return
    yield subject.flag(target.concern, target.title, target.reason, path, _shown(before), _shown(after))


def _each(tree: Tree, path: tuple[str, ...]) -> list[Tree]:
    """Returns the values at a path, those of lists one by one, without unset ones."""
    found: list[Tree] = []
    for value in values(tree, path):
        found += value if isinstance(value, list) else [value]
    return [value for value in found if not is_nothing(value)]


def _shown(found: list[Tree]) -> Tree:
    return ABSENT if not found else found[0] if len(found) == 1 else found


def _shared(subject: Subject, path: tuple[str, ...]) -> Iterator[Flag]:
    before = _each(subject.before, path)
    for value in _each(subject.after, path):
        if value in before or value == "all":
            continue
        if hidden(value):
            if not subject.is_new:
                yield subject.unknown("Shared with another account", path, _shown(before), value)
            continue
        account = _ACCOUNT.fullmatch(value) if isinstance(value, str) else None
        if account is None or account[1] not in subject.accounts:
            reason = "Another account newly gets at it, or at what is in it."
            former = _shown(before)
            yield subject.flag(Concern.EXPOSURE, "Shared with another account", reason, path, former, value)
