"""Flags ingress rules of security groups and network ACLs that this plan opens to the internet."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network

from review.flags.subject import Subject, hidden
from review.model import ABSENT, UNKNOWN, Block, Concern, Flag, Tree, blocks, is_nothing

TITLE = "Open to the world"

WIDE_V4 = 2**25
"""So many public addresses count as the internet: nobody owns as many."""

WIDE_V6 = 2**113

ADMINISTRATION = frozenset({22, 23, 135, 445, 2375, 2376, 3389, 5900, 5985, 5986, 6443, 10250})
DATABASES = frozenset(
    {1433, 1521, 2049, 2181, 3306, 5432, 5439, 6379, 7000, 7199, 8182, 9042, 9092, 9200, 11211, 27017}
)
WEB = frozenset({80, 443})

EPHEMERAL = 1024
"""From here on a network ACL has to let in answers, as it keeps no state."""

MANY = 1000
"""As many ports as this in one rule are for answers, not for a service."""

CIDRS = ("cidr_blocks", "ipv6_cidr_blocks", "cidr_block", "ipv6_cidr_block", "cidr_ipv4", "cidr_ipv6", "cidr")
SOURCES = ("referenced_security_group_id", "source_security_group_id", "security_groups", "self")
PREFIX_LISTS = ("prefix_list_ids", "prefix_list_id")

GROUPS = frozenset({"aws_security_group", "aws_default_security_group"})
ACLS = frozenset({"aws_network_acl", "aws_default_network_acl"})
RULES = frozenset({"aws_vpc_security_group_ingress_rule", "aws_security_group_rule"})
LISTS = frozenset({"aws_ec2_managed_prefix_list", "aws_ec2_managed_prefix_list_entry"})


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule that lets traffic in. `ports` is (0, 65535) for all, None if it cannot be judged."""

    path: tuple[str, ...]
    protocol: str
    ports: tuple[int, int] | None
    cidrs: tuple[Tree, ...]
    prefix_lists: tuple[Tree, ...]
    source: Block
    is_acl: bool


def ingress(subject: Subject) -> Iterator[Flag]:
    """Flags ingress rules that this plan opens to the internet, or that cannot be judged."""
    if not subject.stays:
        return
    after = _rules(subject.change.type, subject.after)
    if after is None and subject.is_new:
        return  # unknown as AWS fills it in: the rules are resources of their own
    if after is None and subject.before.get("ingress") == subject.after.get("ingress"):
        return
    if after is None:
        yield subject.unknown(TITLE, ("ingress",), subject.before.get("ingress", ABSENT), UNKNOWN)
        return
    if not after:
        return
    before = _rules(subject.change.type, subject.before) or []
    former = _opened(rule for rule in before if _is_open(rule))
    hidden_before = {cidr for rule in before for cidr in rule.cidrs if hidden(cidr)}
    lists = {item for rule in before for item in rule.prefix_lists if isinstance(item, str) or hidden(item)}
    for rule in after:
        if _is_open(rule):
            if not _was_open(former, rule) and not _is_usual(subject, rule):
                yield _flag(subject, rule)
        elif rule.prefix_lists or any(hidden(cidr) for cidr in rule.cidrs):
            yield from _unknown(subject, rule, hidden_before, lists)


def _rules(type: str, resource: Block) -> list[Rule] | None:
    """Returns the ingress rules; None if all of them are hidden."""
    if type in GROUPS or type in ACLS:
        listed = resource.get("ingress", ABSENT)
        if hidden(listed):
            return None
        return [
            _rule(("ingress", str(place)), block, type in ACLS)
            for place, block in enumerate(blocks(listed))
            if str(block.get("action", "allow")).lower() == "allow"
        ]
    if type == "aws_vpc_security_group_ingress_rule" or (
        type == "aws_security_group_rule" and resource.get("type") == "ingress"
    ):
        return [_rule((), resource, False)]
    if type == "aws_ec2_managed_prefix_list_entry":
        return [_entry((), resource)]
    if type == "aws_ec2_managed_prefix_list":
        listed = resource.get("entry", ABSENT)
        return [_entry(("entry", str(place)), block) for place, block in enumerate(blocks(listed))]
    if type == "aws_network_acl_rule" and not resource.get("egress"):
        return [_rule((), resource, True)] if resource.get("rule_action") == "allow" else []
    return []


def _rule(path: tuple[str, ...], block: Block, is_acl: bool) -> Rule:
    protocol = str(block.get("protocol", block.get("ip_protocol", "-1"))).lower()
    protocol = {"all": "-1", "6": "tcp", "17": "udp"}.get(protocol, protocol)
    return Rule(
        path,
        protocol,
        (0, 65535) if protocol == "-1" else _ports(block),
        tuple(_each(block, CIDRS)),
        tuple(_each(block, PREFIX_LISTS)),
        block,
        is_acl,
    )


def _entry(path: tuple[str, ...], block: Block) -> Rule:
    """Reads an entry of a prefix list; the rules that name the list have the ports."""
    return Rule(path, "-1", None, tuple(_each(block, ("cidr",))), (), block, False)


def _each(block: Block, keys: Sequence[str]) -> Iterator[Tree]:
    for key in keys:
        value = block.get(key)
        for item in value if isinstance(value, list) else [value]:
            if not is_nothing(item):
                yield item


def _ports(block: Block) -> tuple[int, int] | None:
    first, last = _number(block.get("from_port")), _number(block.get("to_port"))
    if first is None or last is None:
        return None
    return (0, 65535) if first == -1 else (first, last)


def _number(value: Tree) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return int(value)
    except ValueError:
        return None


def _is_open(rule: Rule) -> bool:
    """Returns whether a rule's addresses, taken together, are the whole internet."""
    return _is_world(rule.cidrs)


def _is_world(cidrs: Iterable[Tree]) -> bool:
    """Returns whether networks have so many public addresses that they are the whole internet."""
    public = [_public(cidr) for cidr in cidrs if isinstance(cidr, str)]
    v4 = [network for network in public if isinstance(network, IPv4Network)]
    v6 = [network for network in public if isinstance(network, IPv6Network)]
    return (
        sum(network.num_addresses for network in collapse_addresses(v4)) >= WIDE_V4
        or sum(network.num_addresses for network in collapse_addresses(v6)) >= WIDE_V6
    )


@lru_cache(maxsize=4096)
def _public(cidr: str) -> IPv4Network | IPv6Network | None:
    """Returns a network, None if its addresses are private or it is none."""
    try:
        network = ip_network(cidr, strict=False)
    except ValueError:
        return None
    return None if network.is_private else network


def split_ingress(subjects: Sequence[Subject]) -> Iterator[Flag]:
    """Flags groups whose narrow rules, taken together, open them to the internet in this plan."""
    before: defaultdict[Tree, list[Tree]] = defaultdict(list)
    after: defaultdict[Tree, list[Tree]] = defaultdict(list)
    added: dict[Tree, Subject] = {}
    for subject in subjects:
        kind = subject.change.type
        if kind not in GROUPS | RULES | LISTS:
            continue
        for side, cidrs in ((subject.before, before), (subject.after, after)):
            narrow = [rule for rule in _rules(kind, side) or () if not _is_open(rule)]
            cidrs[_group(side)] += [cidr for rule in narrow for cidr in rule.cidrs]
        if subject.stays:
            added.setdefault(_group(subject.after), subject)
    for group, subject in added.items():
        if _is_world(after[group]) and not _is_world(before[group]):
            reason = (
                "Rules that let in some each now let in so many when taken together that it is the world."
            )
            yield subject.flag(Concern.EXPOSURE, TITLE, reason, (), ABSENT, group)


def _group(resource: Block) -> Tree:
    """Returns what a rule or an entry belongs to; UNKNOWN if that is new."""
    for key in ("security_group_id", "prefix_list_id", "id"):
        value = resource.get(key, ABSENT)
        if value is not ABSENT:
            return value if isinstance(value, str) else UNKNOWN
    return UNKNOWN


def _families(rule: Rule) -> frozenset[bool]:
    """Returns the address families of a rule: False for IPv4, True for IPv6."""
    return frozenset(":" in cidr for cidr in rule.cidrs if isinstance(cidr, str))


NO_PORTS = (-1, -1)
"""Stands for ports that cannot be judged."""

Opened = dict[tuple[str, bool], list[tuple[int, int]]]
"""Ports by protocol and family, as ranges that neither overlap nor touch, in order."""


def _opened(rules: Iterable[Rule]) -> Opened:
    """Merges what rules let in."""
    ranges: defaultdict[tuple[str, bool], list[tuple[int, int]]] = defaultdict(list)
    for rule in rules:
        for family in _families(rule):
            ranges[rule.protocol, family].append(rule.ports or NO_PORTS)
    opened: Opened = {}
    for key, listed in ranges.items():
        merged: list[tuple[int, int]] = []
        for first, last in sorted(listed):
            if merged and first <= merged[-1][1] + 1:
                merged[-1] = (merged[-1][0], max(merged[-1][1], last))
            else:
                merged.append((first, last))
        opened[key] = merged
    return opened


def _was_open(former: Opened, rule: Rule) -> bool:
    """Returns whether everything that a rule lets in was let in before."""
    first, last = rule.ports or NO_PORTS
    return all(
        any(_holds(former.get((protocol, family), []), first, last) for protocol in (rule.protocol, "-1"))
        for family in _families(rule)
    )


def _holds(ranges: Sequence[tuple[int, int]], first: int, last: int) -> bool:
    place = bisect_right(ranges, (first, 65536)) - 1
    return place >= 0 and ranges[place][0] <= first and last <= ranges[place][1]


def _is_usual(subject: Subject, rule: Rule) -> bool:
    """Returns whether a rule opens no port, or is one of a new network ACL that most subnets need.

    Those are answers and the web.
    """
    if _is_path_mtu(rule):
        return True
    is_new = subject.is_new and (
        subject.change.type in ACLS or subject.after.get("network_acl_id", UNKNOWN) is UNKNOWN
    )
    if not rule.is_acl or not is_new or rule.ports is None:
        return False
    first, last = rule.ports
    return (first == last and first in WEB) or (first >= EPHEMERAL and last - first >= MANY)


def _is_path_mtu(rule: Rule) -> bool:
    """Returns whether a rule lets in ICMP type 3 code 4 only, which asks a sender for smaller packets.

    Source: Amazon VPC User Guide, "Path MTU Discovery".
    """
    keys = ("icmp_type", "icmp_code") if rule.is_acl else ("from_port", "to_port")
    return rule.protocol in ("icmp", "1") and [_number(rule.source.get(key)) for key in keys] == [3, 4]


def _flag(subject: Subject, rule: Rule) -> Flag:
    former: Tree = ABSENT
    if not rule.path and subject.before:
        former = _shown(subject.before)
    return subject.flag(Concern.EXPOSURE, TITLE, _reason(rule.ports), rule.path, former, _shown(rule.source))


def _reason(ports: tuple[int, int] | None) -> str:
    if ports is None:
        return "Every address can now reach ports that cannot be told before the apply."
    first, last = ports
    if (first, last) == (0, 65535):
        return "Every address can now reach every port."
    if any(first <= port <= last for port in ADMINISTRATION):
        return "Every address can now reach a port by which machines are administered."
    if any(first <= port <= last for port in DATABASES):
        return "Every address can now reach a port of a database, cache or file share."
    if first == last and first in WEB:
        return "Every address can now reach a port of the web."
    return "Every address can now reach a port."


def _shown(block: Block) -> Tree:
    """Returns what a reviewer wants to see of a rule."""
    keys = (*CIDRS, *SOURCES, "from_port", "to_port", "protocol", "ip_protocol")
    return {key: block[key] for key in keys if key in block and not is_nothing(block[key])}


def _unknown(subject: Subject, rule: Rule, former: set[Tree], lists: set[Tree]) -> Iterator[Flag]:
    """Flags new addresses that are hidden, or in a prefix list."""
    new = [cidr for cidr in rule.cidrs if hidden(cidr) and cidr not in former]
    if new:
        yield subject.unknown(TITLE, (*rule.path, "cidr"), ABSENT, new[0])
    for item in rule.prefix_lists:
        if not isinstance(item, str) and not hidden(item):
            continue
        if item not in lists:
            reason = "What addresses are on the prefix list does not stand in the plan."
            path = (*rule.path, "prefix_list_id")
            yield subject.flag(Concern.UNKNOWN, TITLE, reason, path, ABSENT, item)
            return
