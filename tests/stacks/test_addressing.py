"""The address plan: subnets that neither overlap nor move."""

from ipaddress import IPv4Network
from itertools import combinations
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stacks.addressing import (
    LONGEST_PUBLIC_PREFIX,
    AddressError,
    AddressPlan,
    Tier,
    plan_addresses,
    slot_of,
)

SLOTS = st.sampled_from([2, 4, 8])


@st.composite
def networks(draw: st.DrawFn) -> tuple[IPv4Network, list[str], int]:
    """A CIDR, zones and slots that fit."""
    slots = draw(SLOTS)
    prefix = draw(st.integers(16, LONGEST_PUBLIC_PREFIX - 2 - (slots.bit_length() - 1)))
    start = draw(st.integers(0, 2**prefix - 1)) << (32 - prefix)
    letters = [chr(ord("a") + slot) for slot in range(slots)]
    zones = draw(st.lists(st.sampled_from(letters), min_size=1, unique=True))
    return IPv4Network((start, prefix)), zones, slots


def all_subnets(plan: AddressPlan) -> list[IPv4Network]:
    return [cidr for subnets in plan.subnets.values() for cidr in subnets.values()]


@given(networks())
def test_subnets_are_disjoint_and_within_the_vpc_and_their_tier(
    network: tuple[IPv4Network, list[str], int],
) -> None:
    cidr, zones, slots = network
    plan = plan_addresses(cidr, zones, slots)
    for one, other in combinations(all_subnets(plan), 2):
        assert not one.overlaps(other)
    for tier, subnets in plan.subnets.items():
        assert set(subnets) == set(zones)
        assert plan.tiers[tier].subnet_of(cidr)
        assert all(subnet.subnet_of(plan.tiers[tier]) for subnet in subnets.values())


@given(networks(), st.data())
def test_a_further_zone_moves_nothing(
    network: tuple[IPv4Network, list[str], int], data: st.DataObject
) -> None:
    cidr, zones, slots = network
    fewer = data.draw(st.lists(st.sampled_from(zones), min_size=1, unique=True))
    small, large = plan_addresses(cidr, fewer, slots), plan_addresses(cidr, zones, slots)
    assert small.tiers == large.tiers
    for tier in Tier:
        for zone in fewer:
            assert small.subnets[tier][zone] == large.subnets[tier][zone]


@given(networks(), st.randoms(use_true_random=False))
def test_the_order_of_zones_does_not_matter(
    network: tuple[IPv4Network, list[str], int], random: Random
) -> None:
    cidr, zones, slots = network
    shuffled = random.sample(zones, len(zones))
    assert plan_addresses(cidr, shuffled, slots) == plan_addresses(cidr, zones, slots)


@given(networks())
def test_subnets_are_as_large_as_aws_demands(network: tuple[IPv4Network, list[str], int]) -> None:
    plan = plan_addresses(*network)
    assert all(subnet.prefixlen <= 28 for subnet in all_subnets(plan))
    assert all(subnet.prefixlen <= LONGEST_PUBLIC_PREFIX for subnet in plan.subnets[Tier.PUBLIC].values())


@given(SLOTS, st.sampled_from("abcdefghij"))
def test_a_zone_beyond_the_slots_is_refused_by_name(slots: int, zone: str) -> None:
    cidr = IPv4Network("10.0.0.0/16")
    if slot_of(zone) < slots:
        assert zone in plan_addresses(cidr, [zone], slots).subnets[Tier.PRIVATE]
        return
    with pytest.raises(AddressError, match=f"zone '{zone}' has no slot: zone_slots = {slots}"):
        plan_addresses(cidr, [zone], slots)


@given(SLOTS, st.integers(17, 32))
def test_a_cidr_too_small_for_its_slots_is_refused_with_the_size_that_fits(slots: int, prefix: int) -> None:
    cidr = IPv4Network(("10.0.0.0", prefix))
    fits = LONGEST_PUBLIC_PREFIX - 2 - (slots.bit_length() - 1)
    if prefix <= fits:
        plan_addresses(cidr, ["a", "b"], slots)
        return
    with pytest.raises(AddressError, match=f"use /{fits} or larger"):
        plan_addresses(cidr, ["a", "b"], slots)


def test_the_documented_example_holds() -> None:
    plan = plan_addresses(IPv4Network("10.0.0.0/16"), ["a", "c"], 4)
    assert {
        tier: {zone: str(cidr) for zone, cidr in zones.items()} for tier, zones in plan.subnets.items()
    } == {
        Tier.PUBLIC: {"a": "10.0.128.0/20", "c": "10.0.160.0/20"},
        Tier.PRIVATE: {"a": "10.0.0.0/19", "c": "10.0.64.0/19"},
        Tier.DATABASE: {"a": "10.0.192.0/20", "c": "10.0.224.0/20"},
    }
