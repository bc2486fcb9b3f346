"""What is read for an estimate: from plans as Terraform writes them, and from Terraform JSON."""

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from review.model import ABSENT, UNKNOWN, Masked
from review.reading.billed import ATTRIBUTES, billed_in
from review.reading.structure import PlanError
from tests.review.pricing import REGION, document, entry, read

TASK = "aws_ecs_task_definition.web"
WEB = "aws_ecs_service.web"


def test_what_stays_as_it_is_is_read_with_the_attributes_that_make_a_price() -> None:
    kept = {"arn": "arn:aws:ecs:eu-central-1:1:task-definition/web:1", "cpu": "256", "tags": {"a": "b"}}
    found = read(document(entry(TASK, kept, kept, ("no-op",))))[TASK]
    assert found.before == found.after == {"arn": kept["arn"], "cpu": "256"}
    assert not found.is_changed


def test_a_created_a_deleted_and_a_replaced_one_have_their_sides() -> None:
    lb = {"internal": False}
    new = entry("aws_lb.a", None, lb, ("create",), after_unknown={"subnets": True})
    made = read(document(new))["aws_lb.a"]
    assert (made.before, made.after) == (ABSENT, {"internal": False, "subnets": UNKNOWN})
    gone = read(document(entry("aws_lb.a", lb, None, ("delete",))))["aws_lb.a"]
    assert (gone.before, gone.after) == (lb, ABSENT)
    other = read(document(entry("aws_lb.a", lb, {"internal": True}, ("delete", "create"))))["aws_lb.a"]
    assert (other.before, other.after, other.is_changed) == (lb, {"internal": True}, True)


def test_what_is_forgotten_stays_in_the_account_and_costs_the_same() -> None:
    found = read(document(entry("aws_lb.a", {"internal": True}, None, ("forget",))))["aws_lb.a"]
    assert found.before == found.after == {"internal": True}


def test_a_sensitive_attribute_is_not_known() -> None:
    values = {"engine": "postgres", "instance_class": "db.t4g.micro"}
    content = entry("aws_db_instance.a", None, values, ("create",), after_sensitive={"instance_class": True})
    after = read(document(content))["aws_db_instance.a"].after
    assert isinstance(after, dict)
    assert isinstance(after["instance_class"], Masked)


def test_data_sources_cost_nothing() -> None:
    source = {**entry("data.aws_lb.a", None, {"internal": False}, ("read",)), "mode": "data"}
    assert read(document(source)) == {}


def test_an_older_name_of_a_type_is_the_same_type() -> None:
    assert read(document(entry("aws_alb.a", None, {}, ("create",))))["aws_alb.a"].type == "aws_lb"


REFERENCE = {"task_definition": {"references": [f"{TASK}.arn", TASK]}}


def test_a_service_is_linked_to_its_task_definition_by_the_configuration() -> None:
    plan = document(
        entry(TASK, None, {}, ("create",)),
        entry(WEB, None, {}, ("create",), after_unknown={"task_definition": True}),
        **{WEB: REFERENCE},
    )
    assert read(plan)[WEB].links == (("task_definition", TASK),)


def test_an_instance_is_linked_to_that_of_the_same_index() -> None:
    addresses = ['aws_ecs_service.web["a"]', 'aws_ecs_service.web["b"]']
    tasks = [entry(f'{TASK}["{key}"]', None, {}, ("create",)) for key in "ab"]
    services = [entry(address, None, {}, ("create",)) for address in addresses]
    reference = {"task_definition": {"references": [f"{TASK}[each.key].arn", "each.key"]}}
    plan = document(*tasks, *services, **{addresses[0]: reference, addresses[1]: reference})
    assert read(plan)[addresses[1]].links == (("task_definition", f'{TASK}["b"]'),)


def test_a_target_of_scaling_is_linked_to_the_service_and_not_to_its_cluster() -> None:
    target = "aws_appautoscaling_target.web"
    created = [entry(each, None, {}, ("create",)) for each in ("aws_ecs_cluster.all", WEB, target)]
    name = {"references": ["aws_ecs_cluster.all.name", "aws_ecs_cluster.all", f"{WEB}.name", WEB]}
    assert read(document(*created, **{target: {"resource_id": name}}))[target].links == (
        ("resource_id", WEB),
    )


def test_which_of_several_it_is_linked_to_is_not_guessed() -> None:
    tasks = [entry(f'{TASK}["{key}"]', None, {}, ("create",)) for key in "ab"]
    plan = document(*tasks, entry(WEB, None, {}, ("create",)), **{WEB: REFERENCE})
    assert read(plan)[WEB].links == ()


def test_the_region_is_that_of_the_provider() -> None:
    plan = document(entry("aws_lb.a", None, {}, ("create",)))
    assert read(plan)["aws_lb.a"].region == REGION
    plan["configuration"]["provider_config"]["aws"]["expressions"]["region"] = {"references": ["var.where"]}
    plan["variables"] = {"where": {"value": "us-east-1"}}
    assert read(plan)["aws_lb.a"].region == "us-east-1"
    del plan["variables"]
    assert read(plan)["aws_lb.a"].region == ""


def test_without_a_provider_the_region_is_that_of_an_arn_or_the_only_one_in_the_plan() -> None:
    arn = {"arn": "arn:aws:elasticloadbalancing:eu-west-1:111111111111:loadbalancer/app/a/1"}
    subnet = entry("aws_subnet.a", None, {"availability_zone": "eu-west-1a"}, ("create",))
    plan: dict[str, Any] = {"resource_changes": [entry("aws_lb.a", arn, arn, ("no-op",)), subnet]}
    plan["resource_changes"].append(entry("aws_eip.a", None, {}, ("create",)))
    assert {each.region for each in read(plan).values()} == {"eu-west-1"}
    other = entry("aws_subnet.b", None, {"availability_zone": "us-east-1a"}, ("create",))
    plan["resource_changes"].append(other)
    assert read(plan)["aws_eip.a"].region == ""


def test_a_plan_that_is_built_otherwise_is_refused() -> None:
    with pytest.raises(PlanError, match="must be a list"):
        read({"resource_changes": {}})


STACK: dict[str, Any] = {
    "provider": {"aws": [{"region": REGION}]},
    "resource": {
        "aws_lb": {"a": {"subnets": ["${aws_subnet.a.id}", "${aws_subnet.b.id}"], "name": "a"}},
        "aws_ecs_service": {"web": {"desired_count": 2, "task_definition": f"${{{TASK}.arn}}"}},
        "aws_appautoscaling_target": {"web": {"resource_id": f"service/c/${{{WEB}.name}}"}},
        "aws_ecs_task_definition": {"web": {"cpu": "256", "memory": "${var.memory}"}},
        "aws_eip": {"many": {"for_each": "${local.zones}"}},
        "aws_iam_role": {"many": {"count": 2}},
    },
}


def test_terraform_json_is_read_as_if_all_of_it_were_new() -> None:
    found = {each.address: each for each in billed_in(STACK)}
    assert found["aws_lb.a"].before is ABSENT
    assert found["aws_lb.a"].after == {"subnets": [UNKNOWN, UNKNOWN]}
    assert {each.region for each in found.values()} == {REGION}
    assert found["aws_ecs_task_definition.web"].after == {"cpu": "256", "memory": UNKNOWN}
    assert found["aws_ecs_service.web"].links == (("task_definition", "aws_ecs_task_definition.web"),)
    assert found["aws_appautoscaling_target.web"].links == (("resource_id", "aws_ecs_service.web"),)
    assert found["aws_eip.many"].after is UNKNOWN


@pytest.mark.parametrize("broken", [{"resource": []}, {"resource": {"aws_lb": []}}, {"provider": []}])
def test_what_is_no_terraform_json_is_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(PlanError, match="must be an object"):
        billed_in(broken)


BINDINGS = Path(find_spec("cdktf_cdktf_provider_aws").origin or "").parent  # type: ignore[union-attr]
LATER = {("aws_nat_gateway", "availability_mode")}
"""What only version 6 of the provider has."""


@pytest.mark.parametrize("type_", sorted(ATTRIBUTES))
def test_every_attribute_is_one_of_its_type(type_: str) -> None:
    """A name that the provider does not have would be read as nothing, and so as free of charge."""
    text = (BINDINGS / type_.removeprefix("aws_") / "__init__.py").read_text()
    known = set(re.findall(r"\n    def (\w+)\(\s*self,?\s*\) ->", text))
    assert {name for name in ATTRIBUTES[type_] if (type_, name) not in LATER} <= known
