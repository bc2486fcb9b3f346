"""What crosses from stack to stack: names, and one map of ids per stack."""

import json
import re

from tests.stacks.conftest import Synthesize
from tests.stacks.platform_files import environment
from tests.stacks.terraform_json import Stack

READ = re.compile(
    r"lookup\(data\.terraform_remote_state\.([\w-]+)\.outputs\.connections, \"(\w+)\", \"([^\"]*)\"\)"
)


def test_stacks_refer_to_each_other_by_connections_only(stacks: dict[str, Stack]) -> None:
    for name, stack in stacks.items():
        text = json.dumps(stack.content)
        assert "cross-stack" not in text, name
        resources = (
            json.dumps(stack.content.get("resource", {})).replace('\\\\\\"', '\\"').replace('\\"', '"')
        )
        assert resources.count("terraform_remote_state") == len(READ.findall(resources)), name


def test_every_connection_that_a_stack_uses_is_one_of_the_other_stack(stacks: dict[str, Stack]) -> None:
    for environment_name in ("dev", "staging", "prod"):
        content = stacks[f"{environment_name}-service"].content
        network = f"{environment_name}-network"
        offered = set(stacks[network].content["output"]["connections"]["value"])
        used = READ.findall(json.dumps(content["resource"]).replace("\\", ""))
        assert used
        for stack, key, placeholder in used:
            assert stack == network
            assert key in offered
            assert placeholder == f"{network} has no {key} yet"
        listed = re.findall(r'"(\w+)"', content["locals"][f"lacking_{network}"].partition(" : ")[0])
        assert set(listed) == offered


def test_a_connection_has_the_same_key_whatever_else_there_is(synthesize: Synthesize) -> None:
    def offered(zones: str) -> dict[str, str]:
        network = f'[network]\navailability_zones = [{zones}]\ncidr = "10.10.0.0/16"\n'
        output = synthesize(dev=environment(network=network))["dev-network"].content["output"]
        return dict(output["connections"]["value"])

    fewer, more = offered('"a", "b"'), offered('"a", "b", "c"')
    assert fewer.items() <= more.items()
    assert set(more) - set(fewer) == {f"{tier}_subnet_c" for tier in ("public", "private", "database")}


def test_a_check_names_what_the_other_stack_lacks_and_what_to_do(stacks: dict[str, Stack]) -> None:
    (asserted,) = stacks["prod-service"].content["check"]["waits_for_prod-network"]["assert"]
    assert asserted == {
        "condition": "${length(local.lacking_prod-network) == 0}",
        "error_message": 'prod-service waits for prod-network: it has no ${join(", ", '
        "local.lacking_prod-network)} yet. Apply it first: `make plan ENV=prod STACK=network && make apply "
        "ENV=prod STACK=network`.",
    }
