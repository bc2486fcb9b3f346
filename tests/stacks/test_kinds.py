"""The table of kinds: which stacks there are, in which order, and what builds on what."""

from stacks import kinds
from stacks.reading import read_platform
from tests.places import ENVIRONMENTS
from tests.stacks.terraform_json import Stack

PLATFORM = read_platform(ENVIRONMENTS)
PROJECT, DEV, PROD = PLATFORM.project, PLATFORM.environments["dev"], PLATFORM.environments["prod"]
HOME, OTHER = PROJECT.account_id, PROD.account_id


def names(stacks: tuple[kinds.Stack, ...]) -> list[str]:
    return [stack.name for stack in stacks]


def test_every_stack_of_the_table_is_synthesized_and_no_other(stacks: dict[str, Stack]) -> None:
    assert sorted(stack.name for stack in kinds.stacks(PLATFORM)) == sorted(stacks)


def test_a_stack_is_in_the_account_and_region_that_the_table_says(stacks: dict[str, Stack]) -> None:
    for stack in kinds.stacks(PLATFORM):
        (provider,) = stacks[stack.name].content["provider"]["aws"]
        assert (provider["allowed_account_ids"], provider["region"]) == ([stack.account_id], stack.region)


def test_each_stack_comes_after_those_it_builds_on() -> None:
    every = list(kinds.stacks(PLATFORM))
    for stack in every:
        for dependent in kinds.dependents(PLATFORM, stack):
            assert every.index(stack) < every.index(dependent)


def test_an_accounts_and_an_environments_stacks_are_listed_by_kind() -> None:
    assert names(kinds.stacks_for_environment(PROJECT, PROD)) == [
        f"foundation-{OTHER}",
        "prod-network",
        "prod-data",
        "prod-service",
    ]
    assert names(kinds.stacks_of_account(PLATFORM, HOME)) == [
        "foundation",
        "dev-network",
        "staging-network",
        "dev-data",
        "staging-data",
        "dev-service",
        "staging-service",
    ]


def test_what_is_destroyed_before_a_stack() -> None:
    def before(stack: kinds.Stack) -> list[str]:
        return names(kinds.dependents(PLATFORM, stack))

    assert before(kinds.SERVICE.of_environment(DEV)) == []
    assert before(kinds.DATA.of_environment(DEV)) == ["dev-service"]
    assert before(kinds.NETWORK.of_environment(DEV)) == ["dev-service", "dev-data"]
    assert before(kinds.FOUNDATION.of_account(PROJECT, OTHER)) == [
        "prod-service",
        "prod-data",
        "prod-network",
    ]
    assert before(kinds.FOUNDATION.of_account(PROJECT, HOME)) == [
        "dev-service",
        "dev-data",
        "dev-network",
        "staging-service",
        "staging-data",
        "staging-network",
        f"foundation-{OTHER}",
    ]


def test_a_kind_is_found_by_the_name_that_a_person_gives() -> None:
    assert list(kinds.BY_NAME) == ["foundation", "network", "data", "service"]
    assert [kind.name for kind in kinds.RELEASED] == ["service"]
