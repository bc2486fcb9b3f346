"""Flags firewalls, network ACLs and alarms that let through more than before."""

from collections.abc import Iterator

from review.flags.attributes import number
from review.flags.subject import Subject, hidden
from review.model import ABSENT, UNKNOWN, Concern, Flag, Tree, blocks, is_nothing

DENYING = frozenset({"aws_network_acl", "aws_default_network_acl", "aws_network_acl_rule"})


def protection(subject: Subject) -> Iterator[Flag]:
    """Flags protections that this plan weakens or removes."""
    if subject.change.type in DENYING and not subject.is_moot:
        yield from _denial(subject)
    if not subject.stays or subject.is_new:
        return
    match subject.change.type:
        case "aws_ecs_cluster":
            yield from _insights(subject)
        case "aws_wafv2_web_acl":
            yield from _firewall(subject)
        case "aws_cloudwatch_metric_alarm":
            yield from _threshold(subject)


def _threshold(subject: Subject) -> Iterator[Flag]:
    """Flags an alarm's threshold that moves away from the metric, by the alarm's own comparison."""
    before, after = subject.sides("threshold")
    former, now = number(before), number(after)
    if former is None or now is None or former == now:
        return
    is_upper = str(subject.after.get("comparison_operator", "")).startswith("Greater")
    if (now > former) is is_upper:
        reason = "The alarm fires later than before, or not at all."
        yield subject.flag(
            Concern.PROTECTION, "Alarm loosened", reason, ("threshold",), before, after, weight=48
        )


def _denial(subject: Subject) -> Iterator[Flag]:
    """Flags traffic that a remaining network ACL stops denying."""
    if subject.change.type != "aws_network_acl_rule" and not subject.stays:
        return
    after = [] if subject.change.deposed else _denials(subject.after)
    for rule in [] if subject.change.deposed else _denials(subject.before):
        if rule not in after and not hidden(subject.after.get("ingress")):
            reason = "Traffic that the network ACL denied is no longer denied by the same rule."
            yield subject.flag(Concern.PROTECTION, "Traffic no longer denied", reason, (), rule)


def _denials(resource: dict[str, Tree]) -> list[Tree]:
    rules = [*blocks(resource.get("ingress")), *blocks(resource.get("egress")), resource]
    keys = ("cidr_block", "ipv6_cidr_block", "from_port", "to_port", "protocol", "egress")
    return [
        {key: rule[key] for key in keys if not is_nothing(rule.get(key))}
        for rule in rules
        if "deny" in (rule.get("action"), rule.get("rule_action"))
    ]


def _insights(subject: Subject) -> Iterator[Flag]:
    before, after = _insight(subject.before), _insight(subject.after)
    if after is not UNKNOWN and MEASURES.get(str(after), 0) < MEASURES.get(str(before), 0):
        reason = "What the containers use is no longer measured, or not as finely."
        path = ("setting", "containerInsights")
        yield subject.flag(Concern.PROTECTION, "Metrics off", reason, path, before, after)


MEASURES = {"enabled": 1, "enhanced": 2}
"""How much Container Insights measures; without it, nothing."""


def _insight(resource: dict[str, Tree]) -> Tree:
    for setting in blocks(resource.get("setting")):
        if setting.get("name") == "containerInsights":
            return setting.get("value", ABSENT)
    return ABSENT


def _firewall(subject: Subject) -> Iterator[Flag]:
    """Flags a web application firewall that blocks less, or has lost rules."""
    was_blocked, is_blocked = _blocks_first(subject.before), _blocks_first(subject.after)
    values = ("default_action",), *subject.sides("default_action")
    if was_blocked and not is_blocked:
        reason = "What no rule of the firewall names is now let through."
        yield subject.flag(Concern.PROTECTION, "Firewall weakened", reason, *values)
    if is_blocked and not was_blocked:
        reason = "What no rule of the firewall names is now blocked."
        yield subject.flag(Concern.RUNTIME, "Blocked by the firewall", reason, *values, weight=64)
    kept = {
        rule.get("name") for rule in blocks(subject.after.get("rule")) if isinstance(rule.get("name"), str)
    }
    for rule in blocks(subject.before.get("rule")):
        name = rule.get("name")
        if isinstance(name, str) and name not in kept and not hidden(subject.after.get("rule")):
            reason = "A rule of the firewall is gone."
            yield subject.flag(Concern.PROTECTION, "Firewall weakened", reason, ("rule", name), name)

    after = {str(rule.get("name")): rule for rule in blocks(subject.after.get("rule"))}
    for rule in blocks(subject.before.get("rule")):
        now = after.get(str(rule.get("name")))
        for key in ("action", "override_action"):
            if now is None or _strength(now.get(key)) >= _strength(rule.get(key)):
                continue
            reason = "A rule of the firewall lets through, or only counts, what it stopped."
            where = ("rule", str(rule.get("name")), key)
            former = rule.get(key, ABSENT)
            yield subject.flag(
                Concern.PROTECTION, "Firewall weakened", reason, where, former, now.get(key, ABSENT)
            )


STRENGTHS = {"block": 2, "captcha": 1, "challenge": 1, "none": 1}
"""What stops requests, by how much; `none` as an override leaves a group's own actions in force."""


def _strength(action: Tree) -> int:
    return max(
        (
            STRENGTHS.get(key, 0)
            for block in blocks(action)
            for key, value in block.items()
            if not is_nothing(value) or value == {}
        ),
        default=0,
    )


def _blocks_first(resource: dict[str, Tree]) -> bool:
    return any(blocks(block.get("block")) for block in blocks(resource.get("default_action")))
