"""The data stack: what a release cannot touch, and how it is kept."""

import pytest

from tests.stacks.conftest import Synthesize
from tests.stacks.platform_files import environment
from tests.stacks.terraform_json import Stack
from webapp import contract


@pytest.mark.parametrize("asked", [True, False])
def test_the_table_is_kept_and_recovered_as_the_settings_say(synthesize: Synthesize, asked: bool) -> None:
    text = str(asked).lower()
    data = f"[data]\ndeletion_protection = {text}\npoint_in_time_recovery = {text}\n"
    stacks = synthesize(dev=environment(services=f"[services.web]\nkind = 'status'\n{data}"))
    table = stacks["dev-data"].one("aws_dynamodb_table")
    assert table["deletion_protection_enabled"] is asked
    assert table["point_in_time_recovery"] == {"enabled": asked}


def test_the_table_has_the_keys_that_the_app_asks_for(stacks: dict[str, Stack]) -> None:
    table = stacks["dev-data"].one("aws_dynamodb_table")
    assert (table["hash_key"], table["range_key"]) == (contract.PARTITION_KEY, contract.SORT_KEY)
    assert table["ttl"] == {"attribute_name": contract.EXPIRY_ATTRIBUTE, "enabled": True}


def test_no_other_stack_of_an_environment_holds_its_table(stacks: dict[str, Stack]) -> None:
    holders = {name for name, stack in stacks.items() if stack.all("aws_dynamodb_table")}
    assert holders == {"dev-data", "staging-data", "prod-data"}
