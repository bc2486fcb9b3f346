"""Plan, apply and destroy one stack, on AWS or on the embedded AWS, as the environment variables say."""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ops.core.checkout import Checkout
from ops.core.clients import ambient_client
from ops.core.ecs import Image
from ops.core.errors import OpsError
from ops.core.files import exclusive
from ops.terraform import boundaries, foundation, locks
from ops.terraform.binary import find_terraform
from ops.terraform.states import StateBucket, states_of
from ops.terraform.synthesis import synthesize
from ops.terraform.workspace import OnLine, Workspace
from stacks import kinds
from stacks.kinds import Stack
from stacks.naming import release_local, release_parameter
from stacks.settings import Environment, Platform, Project
from stacks.workloads import workloads

AskName = Callable[[str], str]
"""Takes a question that asks for a name, and returns what the person typed."""


def validate(checkout: Checkout, targets: list[Stack]) -> None:
    """Runs `terraform validate` on all stacks at once, as it takes seconds to read the provider's schema.

    Needs no credentials. Raises TerraformError with the errors of all stacks, each with the stack's file.
    """
    synthesize(checkout)
    root = checkout.state / "validate"
    workspace = Workspace("stacks", root, find_terraform(checkout.state), os.environ)
    with exclusive(root / "lock"):
        workspace.take_together({target.name: checkout.configuration(target.name) for target in targets})
        workspace.init("-backend=false")
        workspace.validate()


def plan(checkout: Checkout, platform: Platform, target: Stack, on_line: OnLine) -> Path:
    """Plans a stack, saves the plan for `apply`, and returns the plan's path."""
    synthesize(checkout)
    boundaries.note(checkout, platform, target, on_line)
    with working_on(checkout, target) as workspace:
        plan_here(workspace, checkout, platform, target, on_line)
        return workspace.saved_plan


def plan_here(
    workspace: Workspace,
    checkout: Checkout,
    platform: Platform,
    target: Stack,
    on_line: OnLine | None = None,
    *,
    lock: bool = True,
    releases: Mapping[str, Image] = MappingProxyType({}),
) -> None:
    """Plans a stack as it is synthesized; removes the previously saved plan even if planning fails.

    `releases` are planned in place of the recorded ones of these services; `apply` refuses such a plan.
    """
    workspace.discard_plan()
    workspace.take(checkout.configuration(target.name))
    if releases and (environment := target.environment):
        workspace.edit(lambda content: with_releases(content, platform.project, environment, releases))
    init(workspace, platform, target)
    workspace.plan(on_line=on_line, lock=lock)


def with_releases(
    configuration: bytes, project: Project, environment: Environment, releases: Mapping[str, Image]
) -> bytes:
    """Returns a service stack's Terraform JSON with these releases in place of the recorded ones.

    `releases` are by service, and their records are not required to exist. Nothing else changes, so a
    plan of it does what a plan does once they are recorded.
    """
    content: dict[str, Any] = json.loads(configuration)
    for service, image in releases.items():
        content["locals"][release_local(service)] = {"image": image.image, "commit": image.commit}
        _require_no_record(content, release_parameter(project, environment.name, service))
    return json.dumps(content, indent=2).encode()


def _require_no_record(content: dict[str, Any], parameter: str) -> None:
    """Removes the conditions that a stack has on a parameter."""
    for source in content["data"]["aws_ssm_parameters_by_path"].values():
        lifecycle = source.get("lifecycle", {})
        lifecycle["postcondition"] = [
            condition
            for condition in lifecycle.get("postcondition", ())
            if f'"{parameter}"' not in condition["condition"]
        ]


def apply(
    checkout: Checkout, target: Stack, on_line: OnLine, require: Callable[[Workspace], None] | None = None
) -> None:
    """Applies exactly the saved plan of a stack, then removes it.

    Raises OpsError if there is no plan, or if the settings or the code have changed since it was
    made; `require` may refuse it as well.
    """
    with working_on(checkout, target) as workspace:
        again = f"Run `{_make('plan', target)}`, look at it, then apply."
        if not workspace.saved_plan.exists():
            raise OpsError(f"There is no saved plan of {target.name} ({workspace.saved_plan}). {again}")
        synthesize(checkout)
        if not workspace.planned_from(checkout.configuration(target.name)):
            raise OpsError(
                f"The configuration of {target.name} has changed since its plan was saved. {again}"
            )
        if require:
            require(workspace)
        refuse_losses(checkout, target, workspace)
        workspace.apply_plan(on_line=on_line)
        foundation.settle(workspace)


def destroy(
    checkout: Checkout, platform: Platform, target: Stack, ask_name: AskName, on_line: OnLine
) -> None:
    """Destroys a stack after a person has typed the name of its environment or project.

    Raises OpsError, before anything is touched, if the stack is protected, in the settings or still
    in what is applied, if other stacks depend on it, or if another name was typed.
    """
    _refuse_protected(checkout, platform, target)
    synthesize(checkout)
    with working_on(checkout, target) as workspace:
        states = states_of(platform.project)
        _refuse_in_use(platform, target, states)
        _refuse_still_protected(target, states)
        name = target.environment.name if target.environment else platform.project.name
        kind = "environment" if target.environment else "project"
        typed = ask_name(
            f"This destroys the stack {target.name} in account {target.account_id}. "
            f"Type the {kind}'s name to go on"
        )
        if typed != name:
            raise OpsError(f"{typed!r} is not the {kind}'s name; nothing was destroyed.")
        workspace.take(checkout.configuration(target.name))
        workspace.discard_plan()
        if _holds_states(platform, target):
            foundation.destroy(workspace, states, on_line=on_line)
        else:
            init(workspace, platform, target)
            workspace.destroy(on_line=on_line)
    if target.kind.has_tasks and target.environment:
        _deregister_tasks(platform, target.environment, on_line)


def unlock(checkout: Checkout, platform: Platform, target: Stack, lock_id: str) -> str:
    """Removes the lock of a stack's state if its id is `lock_id`; returns what was found and done.

    Without `lock_id` it only reports the lock. Raises OpsError if the lock has another id, or if a
    command on this machine is at work on the stack.
    """
    states = states_of(platform.project)
    found = locks.read(states, target.name) if states.exists() else None
    if found is None:
        return f"{target.name} is not locked."
    lock, etag = found
    if not lock_id:
        return f"{target.name} is locked: {lock.held}. {lock.remedy}"
    if lock_id != lock.id:
        raise OpsError(
            f"ID={lock_id} is not the id of the lock of {target.name}, so nothing was removed. It is "
            f"{lock.held}."
        )
    with working_on(checkout, target) as workspace:
        workspace.refuse_running()
        locks.remove(states, lock, etag)
    return f"{target.name} is unlocked. The lock was {lock.held}."


def _deregister_tasks(platform: Platform, environment: Environment, on_line: OnLine) -> None:
    ecs = ambient_client("ecs", environment.region)
    for family in families(platform, environment):
        if count := deregister_family(ecs, family):
            on_line(f"Deregistered {count} revisions of the task definition {family}.")


def families(platform: Platform, environment: Environment) -> Iterator[str]:
    """Yields the families of an environment's task definitions, those of `before_deploy` included."""
    for workload in workloads(platform.project, environment):
        yield workload.name
        if workload.settings.before_deploy:
            yield workload.before_deploy_family


def deregister_family(ecs: Any, family: str) -> int:
    """Deregisters every active revision of a task definition family and returns how many there were.

    Source: Amazon ECS API Reference, ListTaskDefinitions (whose prefix also finds longer names) and
    DeregisterTaskDefinition.
    """
    pages = ecs.get_paginator("list_task_definitions").paginate(familyPrefix=family, status="ACTIVE")
    revisions = [
        arn
        for page in pages
        for arn in page["taskDefinitionArns"]
        if arn.rpartition("/")[2].rpartition(":")[0] == family
    ]
    for arn in revisions:
        ecs.deregister_task_definition(taskDefinition=arn)
    return len(revisions)


def _holds_states(platform: Platform, target: Stack) -> bool:
    return target == kinds.FOUNDATION.of_account(platform.project, platform.project.account_id)


def init(workspace: Workspace, platform: Platform, target: Stack) -> None:
    """Runs `terraform init` with the stack's state.

    Raises OpsError if the state bucket does not exist yet.
    """
    states = states_of(platform.project)
    if _holds_states(platform, target):
        foundation.init(workspace, states)
    elif states.exists():
        workspace.init("-reconfigure")
    else:
        raise OpsError(
            f"The state bucket {states.name} does not exist yet; the project's foundation creates it. "
            "Run `make plan STACK=foundation` and `make apply STACK=foundation` first."
        )


def working_root(checkout: Checkout) -> Path:
    """Returns the directory of the working directories.

    AWS and the embedded AWS have different ones, since a saved plan belongs to one of them.
    """
    return checkout.local if os.environ.get("AWS_ENDPOINT_URL") else checkout.aws


@contextmanager
def working_on(checkout: Checkout, target: Stack) -> Iterator[Workspace]:
    """Reserves a stack's working directory for this process while the block runs."""
    root = working_root(checkout)
    workspace = Workspace(target.name, root, find_terraform(checkout.state), os.environ)
    with workspace.reserved():
        yield workspace


def _refuse_protected(checkout: Checkout, platform: Platform, target: Stack) -> None:
    if target.environment:
        holders = [target.environment]
    else:
        holders = [e for e in platform.environments.values() if e.account_id == target.account_id]
    files = [f"{environment.name}.toml" for environment in holders if environment.protected]
    if target.environment is None and platform.project.protected:
        files = ["project.toml"]
    if files:
        raise OpsError(
            f"{target.name} is protected: {checkout.environments / files[0]} has `protected = true`. To "
            "destroy it, set `protected = false` there, plan and apply, so that its resources lose their "
            "protection too, then try again."
        )
    for what, key in _protected_stores(target):
        name = target.environment.name if target.environment else ""
        file = platform.file_of(name, *key, "deletion_protection")
        raise OpsError(
            f"The {what} of {target.name} is protected: {checkout.environments / file} has "
            f"`deletion_protection = true` in [{'.'.join(key)}]. To destroy it, set that to false in "
            f"{name}.toml, plan and apply, then try again."
        )


def _protected_stores(target: Stack) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yields what the settings protect by itself in a stack of data, with its table in the settings."""
    environment = target.environment
    if environment is None or target.kind is not kinds.DATA:
        return
    if environment.data.deletion_protection:
        yield "table", ("data",)
    for key, database in environment.databases.items():
        if database.deletion_protection:
            yield f"database {key}", ("databases", key)
    for key, table in environment.tables.items():
        if table.deletion_protection:
            yield f"table {key}", ("tables", key)


def refuse_losses(checkout: Checkout, target: Stack, workspace: Workspace) -> None:
    """Raises OpsError if a plan destroys what holds data of a protected environment.

    `prevent_destroy` goes with the resource's block, so it keeps nothing that is taken out of the settings.
    Source: Terraform's documentation, "The lifecycle Meta-Argument".
    """
    environment = target.environment
    if environment is None or not environment.protected or target.kind is not kinds.DATA:
        return
    # Imported here because it takes long to load, and few commands need it.
    from review.table import holding_types

    plan = json.loads(workspace.plan_json.read_bytes())
    holding = holding_types()
    lost = [
        each["address"]
        for each in plan.get("resource_changes", ())
        if "delete" in each["change"]["actions"] and each["type"] in holding
    ]
    if lost:
        raise OpsError(
            f"{environment.name} is protected, and this plan destroys {', '.join(lost)}. To go on, set "
            f"`protected = false` in {checkout.environments / f'{environment.name}.toml'}, apply what was "
            "there before, then plan this again."
        )


def _refuse_still_protected(target: Stack, states: StateBucket) -> None:
    """Raises OpsError if what is applied is still protected, although the settings no longer are."""
    if states.exists() and (left := states.protections(target.name)):
        raise OpsError(
            f"{target.name} cannot be destroyed: what is applied is still protected ({', '.join(left)}). "
            f"Run `{_make('plan', target)}` and `{_make('apply', target)}` first."
        )


def _refuse_in_use(platform: Platform, target: Stack, states: StateBucket) -> None:
    """Raises OpsError if a stack that depends on this one still has resources."""
    if not states.exists():
        return
    for user in (stack.name for stack in kinds.dependents(platform, target)):
        if left := states.resources(user):
            raise OpsError(
                f"{target.name} cannot be destroyed while {user} has resources ({len(left)}, such as "
                f"{left[0]}). Destroy {user} first."
            )


def _make(command: str, target: Stack) -> str:
    environment = f"ENV={target.environment.name} " if target.environment else ""
    return f"make {command} {environment}STACK={target.kind.name}"
