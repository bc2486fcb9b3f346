"""The regions that settings may name, against the provider that the stacks ask for and botocore's data."""

from botocore.loaders import Loader

from stacks.regions import PROVIDER, REGIONS
from tests.stacks.terraform_json import Stack


def known_to_botocore() -> set[str]:
    """The regions of the commercial partition."""
    partitions = Loader().load_data("partitions")["partitions"]
    (commercial,) = [partition for partition in partitions if partition["id"] == "aws"]
    return set(commercial["regions"])


def test_botocore_knows_every_region() -> None:
    assert set(REGIONS) <= known_to_botocore()


def test_the_regions_are_those_of_the_provider_that_the_stacks_ask_for(stacks: dict[str, Stack]) -> None:
    for stack in stacks.values():
        assert stack.content["terraform"]["required_providers"]["aws"]["version"] == PROVIDER
