"""The address plan of a VPC: which CIDR each subnet of each tier and zone has.

A zone's letter is its slot: zone `a` always has slot 0, `b` slot 1, and so on, whichever zones are
in use. So a zone that is added later takes addresses nobody had, and nothing else moves.

    first half      private    tasks need the most addresses
    third quarter   public     load balancer and NAT gateways
    fourth quarter  database

Each part is divided evenly into `zone_slots`. A VPC of 10.0.0.0/16 with four slots has private
subnets of /19, public and database subnets of /20.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Network
from types import MappingProxyType
from typing import Final

LARGEST_VPC_PREFIX: Final = 16
"""Shortest prefix of a VPC. Source: Amazon VPC User Guide, "VPC CIDR blocks"."""

LONGEST_PUBLIC_PREFIX: Final = 27
"""A load balancer's subnet is a /27 or larger. Source: Application Load Balancers guide, "Subnets"."""


class Tier(StrEnum):
    """What a subnet is for: `public` has a route to the internet gateway, `database` no default route."""

    PUBLIC = "public"
    PRIVATE = "private"
    DATABASE = "database"


class AddressError(ValueError):
    """The zones do not fit the CIDR."""


@dataclass(frozen=True)
class AddressPlan:
    """`tiers`: the CIDR of a whole tier; `subnets`: per tier, the CIDR of each zone by its letter."""

    tiers: Mapping[Tier, IPv4Network]
    subnets: Mapping[Tier, Mapping[str, IPv4Network]]


def slot_of(zone: str) -> int:
    """The slot of a zone's letter: `a` is 0."""
    return ord(zone) - ord("a")


def plan_addresses(cidr: IPv4Network, zones: Iterable[str], zone_slots: int) -> AddressPlan:
    """Plan the subnets of a VPC for zones named by letter; `zone_slots` is a power of two.

    Raises AddressError, with a message for people, where a zone has no slot or a subnet is too small.
    """
    letters = sorted(zones)
    for zone in letters:
        if slot_of(zone) >= zone_slots:
            last = chr(ord("a") + zone_slots - 1)
            raise AddressError(
                f"zone {zone!r} has no slot: zone_slots = {zone_slots} has room for 'a' to {last!r}; "
                "choose other zones or raise zone_slots (which moves every subnet)"
            )
    slot_bits = zone_slots.bit_length() - 1
    public_prefix = cidr.prefixlen + 2 + slot_bits
    if public_prefix > LONGEST_PUBLIC_PREFIX:
        raise AddressError(
            f"{cidr} is too small for {zone_slots} zone slots: its public subnets would be /{public_prefix}, "
            f"and a load balancer needs /{LONGEST_PUBLIC_PREFIX} or larger; "
            f"use /{LONGEST_PUBLIC_PREFIX - 2 - slot_bits} or larger, or fewer zone_slots"
        )
    private, rest = cidr.subnets(prefixlen_diff=1)
    public, database = rest.subnets(prefixlen_diff=1)
    tiers = {Tier.PUBLIC: public, Tier.PRIVATE: private, Tier.DATABASE: database}
    subnets = {tier: _by_zone(block, letters, slot_bits) for tier, block in tiers.items()}
    return AddressPlan(tiers=MappingProxyType(tiers), subnets=MappingProxyType(subnets))


def _by_zone(block: IPv4Network, zones: list[str], slot_bits: int) -> Mapping[str, IPv4Network]:
    slots = list(block.subnets(prefixlen_diff=slot_bits))
    return MappingProxyType({zone: slots[slot_of(zone)] for zone in zones})


def availability_zone(region: str, letter: str) -> str:
    """The name of a zone: `eu-central-1a`."""
    return f"{region}{letter}"


def subnet_id(tier: Tier, zone: str) -> str:
    """The Terraform name of a subnet, keyed by its zone's letter, never by a place in a list."""
    return f"{tier}_{zone}"
