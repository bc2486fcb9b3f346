"""What a plan does to services that run: rolled out, interrupted, scaled or left alone."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from review.effects.rollouts import Effect, Rollout, rollouts_of
from review.model import UNKNOWN, Action, Billed, Document, Masked, ResourceChange, Tree
from review.rendering.effects import TITLES, rollout_section
from review.table import default_table
from tests.review.flagging import change
from tests.review.rendering import assert_well_formed, plan, review, stack

A, B = "a" * 64, "b" * 64
ARN = "arn:aws:ecs:eu-central-1:111111111111:task-definition/web:1"
AGAIN = "Rolled out with the same task definition"
REPOSITORY = "111111111111.dkr.ecr.eu-central-1.amazonaws.com/web"


def definition(image: Tree = f"{REPOSITORY}@sha256:{A}", name: str = "web", **keys: Any) -> dict[str, Tree]:
    return {"name": name, "image": image, **keys}


def tasks(before: Any, after: Any, **more: Any) -> ResourceChange:
    """A new revision of a task definition."""
    sides = (Document([*each]) if isinstance(each, list) else each for each in (before, after))
    old, new = ({"container_definitions": each, "cpu": "256"} for each in sides)
    kept: dict[str, Tree] = {**old, "arn": ARN, "revision": 1}
    made: dict[str, Tree] = {**new, "arn": UNKNOWN, "revision": UNKNOWN, **more}
    return change("aws_ecs_task_definition", kept, made, action=Action.REPLACE)


SERVICE: dict[str, Tree] = {"name": "web", "task_definition": ARN, "desired_count": 2}


def service(after: dict[str, Tree] | None = None, **fields: Any) -> ResourceChange:
    """A service that is updated, with these attributes after it."""
    return change("aws_ecs_service", SERVICE, {**SERVICE, **(after or {})}, **fields)


def told(*changes: ResourceChange, **fields: Any) -> list[Rollout]:
    return [*rollouts_of("dev-service", plan(*changes, **fields), default_table())]


def rendered(*changes: ResourceChange, **fields: Any) -> str:
    text = rollout_section(review(stack(*changes, **fields)))
    assert_well_formed(f"<!-- oaktree-review -->\n\n{text}\n")
    return text.partition("\n\n")[2]


NEXT: dict[str, Tree] = {"task_definition": UNKNOWN}


def test_another_image_shows_what_of_it_differs() -> None:
    new = definition(f"{REPOSITORY}@sha256:{B}", environment=[{"name": "LEVEL", "value": "debug"}])
    assert rendered(tasks([definition()], [new]), service(NEXT)) == (
        "- **Rolled out with another image** · `aws_ecs_service.it` · "
        "`web` `sha256:aaaaaaaaaaaa` → `sha256:bbbbbbbbbbbb` · changes `web \u203a environment`"
    )


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("web:1.2", "web:1.3", "`1.2` → `1.3`"),
        ("web", "web:1.3", "`web` → `1.3`"),
        ("web:1.2", f"web:1.2@sha256:{A}", "`1.2` → `1.2@sha256:aaaaaaaaaaaa`"),
        ("localhost:5000/web:1", "ghcr.io/web:1", "`localhost:5000/web:1` → `ghcr.io/web:1`"),
        (f"web@sha256:{A}", f"web@sha256:{A[:-1]}b", f"`sha256:{A}` → `sha256:{A[:-1]}b`"),
        ("web:1\n2", "web:1", "`web:1\\n2` → `web:1`"),
    ],
)
def test_images_are_shortened_to_what_a_person_compares(old: str, new: str, expected: str) -> None:
    assert expected in rendered(tasks([definition(old)], [definition(new)]), service(NEXT))


def test_the_same_image_says_which_settings_change() -> None:
    new = definition(memory=512, environment=[{"name": "LEVEL", "value": "debug"}])
    old = definition(memory=256, environment=[{"name": "LEVEL", "value": "info"}])
    (found,) = told(tasks([old], [new], cpu="512"), service(NEXT))
    assert found.effect is Effect.SAME_IMAGE
    assert found.also == (("web", "environment", "LEVEL"), ("web", "memory"), ("cpu",))


def test_an_image_that_a_tag_names_may_be_another_one_by_now() -> None:
    old, new = definition("web:latest", memory=256), definition("web:latest", memory=512)
    assert rendered(tasks([old], [new]), service(NEXT)) == (
        "- **Rolled out with the same image** · `aws_ecs_service.it` · named by a tag, which may point to "
        "another one by now · changes `web \u203a memory`"
    )


def test_what_changes_within_one_variable_is_one_change() -> None:
    def listing(*names: str) -> dict[str, Tree]:
        return definition(
            environment=[{"name": "SITES", "value": Document([{"name": each} for each in names])}]
        )

    (found,) = told(tasks([listing("a", "b", "c")], [listing("a", "x", "y")]), service(NEXT))
    assert found.also == (("web", "environment", "SITES"),)


def test_a_container_that_comes_or_goes_is_another_image() -> None:
    old = [definition(), definition("envoy:1", "proxy")]
    text = rendered(tasks(old, [definition(), definition("logs:2", "logs")]), service(NEXT))
    assert "`proxy` is gone, `envoy:1`, `logs` is new, `logs:2`" in text


@pytest.mark.parametrize("image", [UNKNOWN, Masked(b"x")])
def test_an_image_that_is_not_known_is_not_called_the_same(image: Tree) -> None:
    (found,) = told(tasks([definition()], [definition(image)]), service(NEXT))
    assert (found.effect, found.note) == (Effect.ROLLED, "whether the image changes is not known")


def test_containers_that_are_not_known_are_not_called_the_same() -> None:
    for changes in ([tasks([definition()], UNKNOWN), service(NEXT)], [service(NEXT)]):
        (found,) = told(*changes)
        assert (found.effect, found.note) == (Effect.ROLLED, "whether the image changes is not known")


def test_revisions_that_are_not_in_the_plan_are_named() -> None:
    assert rendered(service({"task_definition": f"{ARN}0"})) == (
        "- **Rolled out** · `aws_ecs_service.it` · `task_definition` `web:1` → `web:10` · whether the image "
        "changes is not known"
    )


def test_the_revision_that_a_service_runs_decides_not_the_newest() -> None:
    """A service that was rolled back runs another revision than the one in the state."""
    former = replace(service(NEXT), before={**SERVICE, "task_definition": f"{ARN}7"})
    link = billed("aws_ecs_service", "it", task_definition="aws_ecs_task_definition.it")
    (found,) = told(tasks([definition()], [definition()]), former, billed=(link,))
    assert found.effect is Effect.ROLLED


def billed(kind: str, name: str, *, is_changed: bool = True, **links: str) -> Billed:
    sides: dict[str, Tree] = {"task_definition": ARN}
    return Billed(f"{kind}.{name}", kind, "", sides, sides, is_changed, tuple(links.items()))


def test_the_configuration_says_which_task_definition_a_service_gets() -> None:
    other = replace(tasks([definition()], [definition("web:9")]), address="aws_ecs_task_definition.other")
    other = replace(other, before={**other.before, "arn": f"{ARN}2"})  # type: ignore[dict-item]
    link = billed("aws_ecs_service", "it", task_definition="aws_ecs_task_definition.other")
    (found,) = told(tasks([definition()], [definition()]), other, service(NEXT), billed=(link,))
    assert [each.after for each in found.images] == ["web:9"]


def test_a_service_that_ignores_its_new_revision_is_named() -> None:
    link = billed("aws_ecs_service", "it", is_changed=False, task_definition="aws_ecs_task_definition.it")
    assert rendered(tasks([definition()], [definition("web:9")]), billed=(link,)) == (
        "- **Not rolled out** · `aws_ecs_service.it` · it keeps the revision that it runs, although there "
        "is a new one"
    )


def test_tags_of_a_task_definition_leave_no_service_behind() -> None:
    tagged = replace(tasks([definition()], [definition()]), action=Action.UPDATE)
    link = billed("aws_ecs_service", "it", is_changed=False, task_definition="aws_ecs_task_definition.it")
    assert told(tagged, billed=(link,)) == []


def test_a_service_without_tasks_is_not_said_to_run() -> None:
    before: dict[str, Tree] = {**SERVICE, "desired_count": 0}
    idle = change("aws_ecs_service", before, {**before, "platform_version": "1.4.0"})
    assert rendered(idle) == "- **Runs no tasks** · `aws_ecs_service.it`"


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ({"desired_count": 0}, "**Stopped** · `aws_ecs_service.it` · tasks `2` → `0`"),
        ({"desired_count": 4}, "**Only scaled** · `aws_ecs_service.it` · tasks `2` → `4`"),
        ({"tags": {"team": "shop"}}, "**Keeps running as it is** · `aws_ecs_service.it`"),
        (
            {"tags": {"team": "shop"}, "force_new_deployment": True},
            f"**{AGAIN}** · `aws_ecs_service.it` · changes `force_new_deployment`",
        ),
        (
            {"platform_version": "1.4.0"},
            f"**{AGAIN}** · `aws_ecs_service.it` · changes `platform_version`",
        ),
        ({"health_check_grace_period_seconds": 9}, "**Keeps running as it is** · `aws_ecs_service.it`"),
        (
            {"platform_version": "1.4.0", "deployment_minimum_healthy_percent": 0},
            (
                "**May be interrupted** · `aws_ecs_service.it` · with a deployment minimum of 0 %, tasks may "
                "stop before new ones run · changes `platform_version`"
            ),
        ),
        (
            {"platform_version": "1.4.0", "deployment_controller": [{"type": "CODE_DEPLOY"}]},
            (
                "**Not known** · `aws_ecs_service.it` · another deployment controller than ECS rolls it out "
                "· changes `platform_version`"
            ),
        ),
    ],
)
def test_an_update_says_what_it_does_to_the_tasks(after: dict[str, Tree], expected: str) -> None:
    assert rendered(service(after)) == f"- {expected}"


def test_only_tags_roll_out_nothing_although_deployments_are_forced() -> None:
    kept: dict[str, Tree] = {**SERVICE, "force_new_deployment": True}
    after: dict[str, Tree] = {**kept, "tags": {"a": "b"}, "tags_all": {"a": "b"}}
    (found,) = told(change("aws_ecs_service", kept, after))
    assert found.effect is Effect.UNAFFECTED


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"action": Action.DELETE}, "**Stopped** · `aws_ecs_service.it` · deleted"),
        ({"action": Action.FORGET}, "**Keeps running, no longer managed** · `aws_ecs_service.it`"),
        (
            {"action": Action.REPLACE, "replace_paths": (("name",),)},
            "**Interrupted** · `aws_ecs_service.it` · deleted first, then created · changes `name`",
        ),
        (
            {"action": Action.REPLACE, "create_before_destroy": True},
            "**Replaced** · `aws_ecs_service.it` · created first, then deleted",
        ),
        (
            {"action": Action.UNRECOGNISED},
            "**Not known** · `aws_ecs_service.it` · the plan does not show what changes",
        ),
    ],
)
def test_what_is_destroyed_says_whether_there_is_a_gap(fields: dict[str, Any], expected: str) -> None:
    assert rendered(service(**fields)) == f"- {expected}"


def test_an_update_without_values_is_not_known() -> None:
    (found,) = told(change("aws_ecs_service", action=Action.UPDATE))
    assert found.effect is Effect.NOT_KNOWN


def test_limits_of_scaling_belong_to_the_service() -> None:
    limits = change("aws_appautoscaling_target", {"max_capacity": 6}, {"max_capacity": 3}, name="scaling")
    link = billed("aws_appautoscaling_target", "scaling", resource_id="aws_ecs_service.it")
    assert rendered(limits, billed=(link,)) == (
        "- **Only scaled** · `aws_ecs_service.it` · max tasks `6` → `3`"
    )
    assert rendered(limits, service({"platform_version": "1"}), billed=(link,)) == (
        f"- **{AGAIN}** · `aws_ecs_service.it` · max tasks `6` → `3` · changes `platform_version`"
    )


@pytest.mark.parametrize(
    ("immediately", "when"),
    [
        (True, "at once"),
        (False, "in the next maintenance window"),
        (None, "in the next maintenance window"),
        (UNKNOWN, "when is not known"),
    ],
)
def test_a_database_that_restarts_says_when(immediately: Tree, when: str) -> None:
    before: dict[str, Tree] = {"instance_class": "db.t4g.micro", "apply_immediately": immediately}
    after: dict[str, Tree] = {**before, "instance_class": "db.t4g.small"}
    assert rendered(change("aws_db_instance", before, after)) == (
        f"- **Interrupted** · `aws_db_instance.it` · class `db.t4g.micro` → `db.t4g.small` · {when}"
    )
    assert told(change("aws_db_instance", before, {**before, "max_allocated_storage": 9})) == []


def test_another_port_restarts_a_database_at_once() -> None:
    before: dict[str, Tree] = {"port": 5432, "apply_immediately": False}
    (found,) = told(change("aws_db_instance", before, {**before, "port": 5433}))
    assert (found.effect, found.note) == (Effect.INTERRUPTED, "at once")


def test_a_group_of_machines_rolls_out_only_with_an_instance_refresh() -> None:
    before: dict[str, Tree] = {"launch_template": [{"version": "1"}]}
    after: dict[str, Tree] = {"launch_template": [{"version": "2"}]}
    (found,) = told(change("aws_autoscaling_group", before, after))
    assert found.effect is Effect.NOT_ROLLED
    refreshed: dict[str, Tree] = {**after, "instance_refresh": [{"strategy": "Rolling"}]}
    (found,) = told(change("aws_autoscaling_group", before, refreshed))
    assert found.effect is Effect.ROLLED


def test_a_function_says_what_of_it_is_rolled_out() -> None:
    sides: tuple[dict[str, Tree], ...] = ({"source_code_hash": "a"}, {"source_code_hash": "b"})
    assert rendered(change("aws_lambda_function", *sides)) == (
        "- **Rolled out** · `aws_lambda_function.it` · changes `source_code_hash`"
    )


def test_services_of_one_kind_share_a_line_the_gravest_first_and_many_are_counted() -> None:
    same = [replace(service({"tags": {"a": "b"}}), address=f"aws_ecs_service.s{at}") for at in range(60)]
    text = rendered(*same, replace(service(action=Action.DELETE), address="aws_ecs_service.gone"))
    first, second = text.splitlines()
    assert first == "- **Stopped** · `aws_ecs_service.gone` · deleted"
    assert second.startswith("- **Keeps running as it is** · `aws_ecs_service.s0`, `aws_ecs_service.s1`")
    assert second.endswith("`aws_ecs_service.s9` and 50 more")
    each = [replace(service({"desired_count": at}), address=f"aws_ecs_service.s{at}") for at in range(10, 70)]
    assert rendered(*each).splitlines()[-1] == "- 40 more lines"


def test_every_effect_has_words_and_is_in_the_documentation() -> None:
    document = (Path(__file__).parents[2] / "docs" / "review.md").read_text("utf-8")
    assert set(TITLES) == set(Effect)
    assert [effect.name for effect in Effect if effect.name not in document] == []


def test_a_plan_that_touches_no_service_has_no_section() -> None:
    assert rollout_section(review(stack(change("aws_sqs_queue", {"name": "a"}, {"name": "b"})))) == ""
