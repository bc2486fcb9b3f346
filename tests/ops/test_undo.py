"""What a deployment takes back, and what it leaves alone; Terraform and AWS are played."""

import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ops.core.checkout import Checkout
from ops.core.ecs import Image
from ops.core.errors import OpsError, ReleaseFailedError
from ops.core.git import Age
from ops.core.progress import Phase, Progress
from ops.releases.records import FAILED, IN_SERVICE, RECORDED, Recorded, Release
from ops.rollout import deploy, recorder
from ops.rollout import plan as release_plan
from ops.rollout.deploy import Order
from ops.terraform import boundaries
from ops.terraform.binary import TerraformError
from ops.terraform.targets import target_of
from ops.terraform.waiting import WaitsError
from ops.terraform.workspace import StalePlanError
from stacks.reading import read_platform
from stacks.settings import Platform
from tests.places import ENVIRONMENTS
from tests.stacks.platform_files import environment, write_platform

IMAGE = "111111111111.dkr.ecr.eu-central-1.amazonaws.com/oaktree/web@sha256:"
BEFORE, NEXT, OTHER = (Image(IMAGE + digit * 64, f"abcdef{digit}") for digit in "123")


def nothing(*_: object) -> None:
    """Play a step that goes well and does nothing."""


@dataclass
class World:
    """What is recorded, what was applied and waited for, and what happens on the way."""

    records: list[Image]
    states: list[str] = field(default_factory=lambda: [IN_SERVICE])
    marks: dict[int, tuple[int, int]] = field(default_factory=dict)
    beside: dict[str, "World"] = field(default_factory=dict)
    before: Image | None = BEFORE
    completed: bool = True
    destroyed: bool = False
    applied: list[Image] = field(default_factory=list)
    waited: list[Image] = field(default_factory=list)
    missing: frozenset[str] = frozenset()
    plans: list[dict[str, Any]] = field(default_factory=list)
    ran: list[str] = field(default_factory=list)
    asked: dict[str, str] = field(default_factory=dict)
    while_preparing: Callable[[], None] = nothing
    while_planning: Callable[[], None] = nothing
    while_settling: Callable[[], None] = nothing
    while_applying: Callable[[], None] = nothing
    while_testing: Callable[[], None] = nothing

    @property
    def undone(self) -> list[tuple[int, int]]:
        """What each undo restores, and undoes."""
        return list(self.marks.values())

    def of(self, service: str) -> "World":
        """The world of another service of the environment, or this one, which is of `web`."""
        return self.beside.get(service, self)

    def add(self, release: Image) -> None:
        """Has one more version, recorded by whomever."""
        self.records.append(release)
        self.states.append(RECORDED)

    def has(self, _: str) -> bool:
        """As `StateBucket.has`."""
        return True

    def resources(self, _: str) -> list[str]:
        """As `StateBucket.resources`."""
        return [] if self.destroyed else ["aws_ecs_service.web"]

    def latest(self, _: str) -> Recorded:
        """As `Releases.latest`."""
        now = self.records[-1]
        restores, undoes = self.marks.get(len(self.records), (0, 0))
        release = Release(
            now.image,
            now.commit,
            "ada",
            "2026-01-01T00:00:00Z",
            why="failed" if self.states[-1] == FAILED else "",
            state=self.states[-1],
            restores=restores,
            undoes=undoes,
        )
        return Recorded(len(self.records), release)

    def kept_tags(self, image: str) -> tuple[str, ...]:
        """As `Releases.kept_tags`."""
        if image in self.missing:
            raise OpsError(f"The registry has no image {image}.")
        return ("abcdef0",)

    def history(self, _: str) -> list[Recorded]:
        """As `Releases.history`."""
        return [
            Recorded(
                version,
                Release(
                    each.image,
                    each.commit,
                    "ada",
                    "2026-01-01T00:00:00Z",
                    state=state,
                    restores=self.marks.get(version, (0, 0))[0],
                    undoes=self.marks.get(version, (0, 0))[1],
                ),
            )
            for version, each, state in zip(
                range(len(self.records), 0, -1), self.records[::-1], self.states[::-1], strict=True
            )
        ]

    def settle(self, _: str, version: int, state: str, why: str = "") -> int:
        """As `Releases.settle`, but in place of the version."""
        assert bool(why) == (state == FAILED)
        self.while_settling()
        if version != len(self.records):
            return 0
        self.states[-1] = state
        return version

    def record(
        self,
        _: str,
        image: str,
        commit: str,
        why: str = "",
        expected_version: int | None = None,
        restores: int = 0,
        undoes: int = 0,
    ) -> bool:
        """As `Releases.record`."""
        assert why or not self.applied, "an undo says why"
        if expected_version not in (None, len(self.records)):
            raise OpsError("Somebody recorded something meanwhile, so nothing was recorded.")
        self.add(Image(image, commit))
        if restores or undoes:
            self.marks[len(self.records)] = (restores, undoes)
        return True


class Records:
    """As `ops.releases.records.Releases`, of all services."""

    def __init__(self, world: World) -> None:
        self.world = world

    def __getattr__(self, name: str) -> Any:
        def call(service: str, *arguments: Any) -> Any:
            return getattr(self.world.of(service), name)(service, *arguments)

        return call


@pytest.fixture
def platform() -> Platform:
    return read_platform(ENVIRONMENTS)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> World:
    """A service that runs `BEFORE`, whose record names that."""
    world = World([BEFORE])
    saved = tmp_path_factory.mktemp("workspace") / "plan.json"

    class Service:
        """As `ops.rollout.deployed.Deployed`."""

        def __init__(self, _: object, __: object, service: str) -> None:
            self.service, self.name = service, f"oaktree-dev-{service}"
            self.released = service
            self.completed = world.of(service).completed

        def ran(self, name: str) -> Image | None:
            return world.of(name).before

        def begin(self, *, alarms: bool) -> None:
            assert not alarms

        def wait(self, task_definition: str, *_: object, live: bool) -> None:
            assert (task_definition, live) == (self.name, False)
            own = world.of(self.service)
            own.waited.append(own.applied[-1])

    class Directory:
        """As `ops.terraform.workspace.Workspace`."""

        plan_json = saved

        def discard_plan(self) -> None:
            saved.unlink()

        def apply_plan(self, on_line: object) -> None:
            assert on_line
            world.while_applying()
            for each in (world, *world.beside.values()):
                each.applied.append(each.records[-1])

    @contextmanager
    def working_on(*_: object) -> Iterator[Directory]:
        yield Directory()

    def plan_release(*_: object) -> frozenset[str]:
        world.while_planning()
        saved.write_text(json.dumps(world.plans.pop(0) if world.plans else {}))
        return frozenset(f"oaktree-dev-{service}" for service in ("web", *world.beside))

    class Commands:
        """As `ops.rollout.before_deploy.BeforeDeploy`."""

        def __init__(self, *_: object) -> None:
            pass

        def run(self, _: object, __: object, services: list[str]) -> None:
            world.ran += services
            world.while_preparing()

    def verify(deployed: Service, _: object, address: str, *__: object) -> None:
        world.asked[deployed.service] = address
        world.of(deployed.service).while_testing()

    monkeypatch.setattr(deploy, "ambient_client", nothing)
    monkeypatch.setattr(deploy, "Releases", lambda *_: Records(world))
    monkeypatch.setattr(deploy, "states_of", lambda _: world)
    monkeypatch.setattr(deploy, "Deployed", Service)
    monkeypatch.setattr(deploy, "BeforeDeploy", Commands)
    monkeypatch.setattr(deploy, "stand_in", nothing)
    monkeypatch.setattr(boundaries, "require", nothing)
    monkeypatch.setattr(deploy, "working_on", working_on)
    monkeypatch.setattr(deploy, "plan_release", plan_release)
    monkeypatch.setattr(deploy, "applied_task_definition", lambda _, name: name)
    monkeypatch.setattr(deploy, "verify", verify)
    return world


def fail() -> None:
    raise ReleaseFailedError("It answers 500.")


def run(
    platform: Platform,
    release: Image | None = None,
    said: Callable[[str], None] | None = None,
    **beside: Image,
) -> None:
    """Deploy what is recorded, or releases that are recorded first: of `web`, and of services beside it."""
    releases = ({"web": release} if release else {}) | beside
    start(platform, Order(("web", *beside), releases), said or nothing)


def start(
    platform: Platform,
    order: Order,
    said: Callable[[str], None],
    require: Callable[[object], None] | None = None,
) -> None:
    progress = Progress(Console(file=io.StringIO()))
    environment = platform.environments["dev"]
    deploy.deploy(Checkout(Path()), platform, environment, order, progress, said, require)


def test_a_release_that_fails_is_taken_back_and_waited_for(world: World, platform: Platform) -> None:
    world.while_testing = fail
    with pytest.raises(OpsError, match=r"was undone: web runs abcdef1 .* again\.\nIt answers 500\."):
        run(platform, NEXT)
    assert world.records == [BEFORE, NEXT, BEFORE]
    assert world.applied == world.waited == [NEXT, BEFORE]
    assert world.states == [IN_SERVICE, FAILED, IN_SERVICE]
    assert world.undone == [(1, 2)]


def test_a_stack_that_was_destroyed_is_not_created_again(world: World, platform: Platform) -> None:
    world.destroyed = True
    with pytest.raises(
        OpsError, match=r"it was destroyed.*`make bootstrap ENV=dev` does\.\nNothing was changed"
    ):
        run(platform, NEXT)
    assert world.records == [BEFORE]


def test_a_release_is_not_recorded_while_the_boundary_is_older_than_the_settings(
    world: World, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OpsError("The boundary is older.")

    monkeypatch.setattr(boundaries, "require", refuse)
    with pytest.raises(OpsError, match=r"The boundary is older\.\nNothing was changed\."):
        run(platform, NEXT)
    assert world.records == [BEFORE]


def test_a_release_is_in_service_once_it_is_tested(world: World, platform: Platform) -> None:
    def test() -> None:
        assert world.states == [IN_SERVICE, RECORDED]

    world.while_testing = test
    run(platform, NEXT)
    assert world.states == [IN_SERVICE, IN_SERVICE]


@pytest.mark.parametrize(("completed", "state"), [(True, IN_SERVICE), (False, RECORDED)])
def test_what_ecs_has_completed_was_in_service_and_what_it_has_not_was_not(
    world: World, platform: Platform, completed: bool, state: str
) -> None:
    world.states, world.completed = [RECORDED], completed
    run(platform, NEXT)
    assert world.states == [state, IN_SERVICE]


def test_a_first_release_that_fails_stays_and_is_recorded_as_failed(world: World, platform: Platform) -> None:
    world.states, world.before = [RECORDED], None
    world.while_testing = fail
    with pytest.raises(
        OpsError,
        match=r"web ran nothing before that worked, so this release stays in force\. Fix what is wrong and "
        r"deploy again\. `make destroy ENV=dev STACK=service` removes it all\.\nIt answers 500\.",
    ):
        run(platform)
    assert (world.records, world.states) == ([BEFORE], [FAILED])
    # ECS has completed its rollout since, but it does not work.
    world.before, world.while_testing = BEFORE, nothing
    world.applied.clear()
    run(platform, NEXT)
    assert world.states == [FAILED, IN_SERVICE]


def test_a_release_that_ran_before_is_not_taken_back(world: World, platform: Platform) -> None:
    world.while_testing = fail
    with pytest.raises(
        OpsError, match=r"The same release ran before, so nothing was undone\. Fix what is wrong and deploy"
    ):
        run(platform)
    assert world.records == world.applied == [BEFORE]
    assert world.states == [IN_SERVICE]
    world.records, world.states, world.before = [BEFORE, NEXT], [IN_SERVICE, IN_SERVICE], NEXT
    with pytest.raises(OpsError, match=r"undone\. `make rollback ENV=dev` and `make deploy ENV=dev` go back"):
        run(platform)


def test_what_ran_before_and_had_failed_is_not_gone_back_to(world: World, platform: Platform) -> None:
    world.states, world.while_testing = [FAILED], fail
    with pytest.raises(OpsError, match="web ran nothing before that worked"):
        run(platform, NEXT)
    assert (world.records, world.states) == ([BEFORE, NEXT], [FAILED, FAILED])


def test_the_last_release_in_service_is_gone_back_to_if_what_ran_since_failed(
    world: World, platform: Platform
) -> None:
    world.records, world.states, world.before = [BEFORE, NEXT], [IN_SERVICE, FAILED], NEXT
    world.while_testing = fail
    with pytest.raises(OpsError, match="was undone: web runs abcdef1 "):
        run(platform, OTHER)
    assert world.records == [BEFORE, NEXT, OTHER, BEFORE]
    assert world.states == [IN_SERVICE, FAILED, FAILED, IN_SERVICE]
    assert world.undone == [(1, 3)]


def test_a_rollout_that_never_completed_is_not_gone_back_to(world: World, platform: Platform) -> None:
    world.states, world.completed, world.while_testing = [RECORDED], False, fail
    with pytest.raises(OpsError, match="web ran nothing before that worked"):
        run(platform, NEXT)
    assert (world.records, world.states) == ([BEFORE, NEXT], [RECORDED, FAILED])


def test_a_release_that_failed_is_in_service_only_once_it_is_tested(world: World, platform: Platform) -> None:
    world.records, world.states, world.before = [NEXT, BEFORE, NEXT], [FAILED, IN_SERVICE, RECORDED], NEXT
    world.while_testing = fail
    with pytest.raises(OpsError, match="was undone: web runs abcdef1 "):
        run(platform)
    assert world.states == [FAILED, IN_SERVICE, FAILED, IN_SERVICE]


def test_a_failure_is_said_although_it_cannot_be_recorded(world: World, platform: Platform) -> None:
    def refuse() -> None:
        raise OpsError("Somebody records something.")

    said: list[str] = []
    world.while_testing, world.while_settling = fail, refuse
    with pytest.raises(
        OpsError, match=r"records something\.\nThe release failed \(It answers 500\) and is not"
    ):
        run(platform, NEXT, said.append)
    assert "\nIt answers 500." in said


def with_api(world: World, platform: Platform) -> Platform:
    """Have another service, whose first release is `OTHER` and fails."""
    world.beside["api"] = World([OTHER], [RECORDED], before=None, while_testing=fail)
    dev = platform.environments["dev"]
    services = {**dev.services, "api": dev.services["web"]}
    return platform.model_copy(
        update={"environments": {"dev": dev.model_copy(update={"services": services})}}
    )


def test_a_new_service_that_fails_stays_and_what_changed_beside_it_is_taken_back(
    world: World, platform: Platform
) -> None:
    both = with_api(world, platform)
    with pytest.raises(
        OpsError,
        match=r"undone: web runs abcdef1 .* again\. api ran nothing before that worked, so this release",
    ):
        run(both, NEXT)
    assert (world.records, world.states) == ([BEFORE, NEXT, BEFORE], [IN_SERVICE, RECORDED, IN_SERVICE])
    assert world.undone == [(1, 2)]
    api = world.beside["api"]
    assert (api.records, api.states) == ([OTHER], [FAILED])
    assert len(api.waited) == 1, "what failed is not waited for again"


def test_a_new_service_that_fails_is_told_beside_one_that_did_not_change(
    world: World, platform: Platform
) -> None:
    with pytest.raises(OpsError) as error:
        run(with_api(world, platform))
    assert str(error.value) == (
        "dev: the release failed. api ran nothing before that worked, so this release stays in force. Fix "
        "what is wrong and deploy again.\nIt answers 500."
    )
    assert (world.states, world.beside["api"].states) == ([IN_SERVICE], [FAILED])


def test_a_service_that_did_not_change_is_left_alone_although_it_had_failed(
    world: World, platform: Platform
) -> None:
    world.records, world.states, world.before = [BEFORE, NEXT], [IN_SERVICE, FAILED], NEXT
    with pytest.raises(OpsError, match=r"failed\. api ran nothing before that worked"):
        run(with_api(world, platform))
    assert (world.records, world.states) == ([BEFORE, NEXT], [IN_SERVICE, FAILED])


def test_an_apply_that_fails_fails_every_release_and_restores_what_there_was(
    world: World, platform: Platform
) -> None:
    def refuse() -> None:
        world.while_applying = nothing
        raise TerraformError("terraform apply", 1, None, ["Error: no"])

    world.while_applying = refuse
    with pytest.raises(OpsError, match=r"undone: web runs abcdef1 .* again\. api ran nothing before"):
        run(with_api(world, platform), NEXT)
    assert (world.states, world.beside["api"].states) == ([IN_SERVICE, FAILED, IN_SERVICE], [FAILED])


def test_of_two_first_releases_only_the_one_that_fails_is_recorded_as_failed(
    world: World, platform: Platform
) -> None:
    world.states, world.before = [RECORDED], None
    with pytest.raises(OpsError, match="api ran nothing before that worked"):
        run(with_api(world, platform))
    assert (world.states, world.beside["api"].states) == ([RECORDED], [FAILED])


def test_what_somebody_recorded_during_the_test_is_not_taken_back(world: World, platform: Platform) -> None:
    def test() -> None:
        world.add(OTHER)
        fail()

    world.while_testing = test
    with pytest.raises(OpsError, match="Somebody recorded something meanwhile"):
        run(platform, NEXT)
    assert world.records == [BEFORE, NEXT, OTHER]
    assert world.applied == [NEXT]


def test_a_plan_that_terraform_refuses_leaves_the_release_to_be_deployed(
    world: World, platform: Platform
) -> None:
    def refuse() -> None:
        raise StalePlanError("The state has changed.")

    world.while_applying = refuse
    with pytest.raises(
        OpsError, match=r"has changed\.\nThe release is recorded and not deployed\. `make deploy"
    ):
        run(platform, NEXT)
    assert (world.records, world.states, world.applied) == ([BEFORE, NEXT], [IN_SERVICE, RECORDED], [])


def test_what_somebody_recorded_during_the_plan_is_not_applied(world: World, platform: Platform) -> None:
    world.while_planning = lambda: world.add(OTHER)
    with pytest.raises(OpsError, match="Somebody recorded another release meanwhile"):
        run(platform, NEXT)
    assert world.applied == []


class Planned:
    """As `ops.terraform.workspace.Workspace`, with a plan that does one thing to the table."""

    def __init__(self, action: str) -> None:
        change = {"actions": [action], "after": None}
        table = {"address": "aws_dynamodb_table.table", "type": "aws_dynamodb_table", "change": change}
        self.plans = [{"format_version": "1.2", "resource_changes": [table]}]
        self.take = nothing

    def plan(self) -> Any:
        return self.plans[-1]

    def discard_plan(self) -> None:
        self.plans.pop()


def test_a_plan_that_deletes_is_refused_and_not_left_to_be_applied(
    monkeypatch: pytest.MonkeyPatch, platform: Platform
) -> None:
    monkeypatch.setattr(release_plan, "synthesize", nothing)
    monkeypatch.setattr(release_plan, "init", nothing)

    def plan(workspace: Any) -> frozenset[str]:
        target = target_of(platform, "dev", "service")
        return release_plan.plan_release(Checkout(Path()), platform, target, workspace, Phase("plan"))

    harmless, harmful = Planned("update"), Planned("delete")
    assert plan(harmless) == frozenset()
    assert harmless.plans
    with pytest.raises(OpsError, match=r"aws_dynamodb_table\.table would be deleted"):
        plan(harmful)
    assert not harmful.plans


API_BEFORE, API_NEXT = (
    Image(image.image.replace("/web@", "/api@"), image.commit) for image in (BEFORE, NEXT)
)


@pytest.fixture
def both(world: World, platform: Platform) -> Platform:
    """Settings with another service, `api`, that runs something too."""
    found = with_api(world, platform)
    world.beside["api"] = World([API_BEFORE], before=API_BEFORE)
    return found


def test_all_that_is_released_at_once_is_applied_once(world: World, both: Platform) -> None:
    run(both, NEXT, api=API_NEXT)
    api = world.beside["api"]
    assert (world.records, api.records) == ([BEFORE, NEXT], [API_BEFORE, API_NEXT])
    assert (world.applied, api.applied) == ([NEXT], [API_NEXT])
    assert (world.states[-1], api.states[-1]) == (IN_SERVICE, IN_SERVICE)


def test_if_one_of_several_releases_fails_all_of_them_are_undone(world: World, both: Platform) -> None:
    api = world.beside["api"]
    api.while_testing = fail
    with pytest.raises(OpsError, match=r"was undone: api runs abcdef1 .*, web runs abcdef1 .* again\."):
        run(both, NEXT, api=API_NEXT)
    assert (world.applied, api.applied) == ([NEXT, BEFORE], [API_NEXT, API_BEFORE])
    assert (world.records[-1], api.records[-1]) == (BEFORE, API_BEFORE)


SHARED = """
[services.web]
dockerfile = "shop/Dockerfile"

[services.worker]
kind = "worker"
same_image_as = "web"
command = ["work"]

[services.night]
kind = "job"
same_image_as = "web"
schedule = "@daily"
command = ["work"]
"""


def test_services_that_run_the_same_image_are_watched_and_undone_together(
    world: World, tmp_path: Path
) -> None:
    shared = read_platform(write_platform(tmp_path, dev=environment(services=SHARED)))
    tested: list[str] = []

    def fail_second() -> None:
        tested.append("")
        if len(tested) == 2:
            fail()

    world.while_testing = fail_second
    with pytest.raises(OpsError, match=r"was undone: night, web, worker run abcdef1 .* again\."):
        start(shared, Order(("worker",), {"web": NEXT}), nothing)
    assert world.records == [BEFORE, NEXT, BEFORE]
    # The job has no service in ECS.
    assert world.waited == [NEXT, NEXT, BEFORE, BEFORE]


def test_only_the_service_that_was_ordered_is_asked_at_an_address(world: World, tmp_path: Path) -> None:
    shared = read_platform(write_platform(tmp_path, dev=environment(services=SHARED)))
    start(shared, Order(("web",), {"web": NEXT}, address="http://127.0.0.1:8080"), nothing)
    assert world.asked == {"web": "http://127.0.0.1:8080", "worker": ""}


WITH_JOB = """
[services.web]
dockerfile = "web/Dockerfile"

[services.night]
kind = "job"
dockerfile = "night/Dockerfile"
schedule = "@daily"
"""


@pytest.mark.parametrize("ordered", [True, False])
def test_a_release_that_only_jobs_run_is_undone_with_the_others_if_it_is_new(
    world: World, tmp_path: Path, ordered: bool
) -> None:
    settings = read_platform(write_platform(tmp_path, dev=environment(services=WITH_JOB)))
    before = [OTHER, API_BEFORE]
    night = world.beside["night"] = World([*before], [IN_SERVICE, IN_SERVICE], before=None)
    world.while_testing = fail
    with pytest.raises(OpsError, match="was undone: "):
        start(
            settings, Order(("web", "night"), {"web": NEXT} | ({"night": NEXT} if ordered else {})), nothing
        )
    assert night.records == ([*before, NEXT, API_BEFORE] if ordered else before)


def test_no_release_is_recorded_if_the_registry_lacks_one_of_them(world: World, both: Platform) -> None:
    world.missing = frozenset({API_NEXT.image})
    with pytest.raises(OpsError, match=r"has no image .*\nNothing was changed\."):
        run(both, NEXT, api=API_NEXT)
    assert (world.records, world.beside["api"].records) == ([BEFORE], [API_BEFORE])


def test_a_plan_that_is_not_the_reviewed_one_is_not_applied(world: World, platform: Platform) -> None:
    def refuse(_: object) -> None:
        raise OpsError("The saved plan makes other changes.")

    order = Order(("web",), {"web": NEXT})
    with pytest.raises(
        OpsError, match=r"other changes\.\nNothing was applied, and the record names the prev"
    ):
        start(platform, order, nothing, refuse)
    # No other apply deploys what was refused.
    assert (world.records, world.applied) == ([BEFORE, NEXT, BEFORE], [])
    assert world.states == [IN_SERVICE, RECORDED, IN_SERVICE]


def test_what_is_recorded_again_after_a_refusal_is_as_it_was(world: World, platform: Platform) -> None:
    def refuse(_: object) -> None:
        raise OpsError("The saved plan makes other changes.")

    world.records, world.marks = [BEFORE, OTHER, BEFORE], {3: (1, 2)}
    world.states = [IN_SERVICE, FAILED, IN_SERVICE]
    with pytest.raises(OpsError, match="Nothing was applied"):
        start(platform, Order(("web",), {"web": NEXT}), nothing, refuse)
    assert (world.records[-1], world.states[-1], world.marks[5]) == (BEFORE, IN_SERVICE, (1, 2))


def test_a_plan_that_waits_for_another_stack_leaves_no_release_recorded(world: World, both: Platform) -> None:
    def wait() -> None:
        raise WaitsError("dev-service waits for dev-network.")

    world.while_planning = wait
    world.states = [FAILED]
    with pytest.raises(OpsError, match=r"waits for dev-network\.\nNothing was applied, and the record names"):
        run(both, NEXT, api=API_NEXT)
    api = world.beside["api"]
    assert (world.records, world.states) == ([BEFORE, NEXT, BEFORE], [FAILED, RECORDED, FAILED])
    assert (api.records, api.applied) == ([API_BEFORE, API_NEXT, API_BEFORE], [])


def test_a_first_release_that_is_refused_stays_recorded_which_is_said(
    world: World, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> None:
        raise OpsError("The saved plan makes other changes.")

    latest = World.latest
    monkeypatch.setattr(World, "latest", lambda world, name: latest(world, name) if world.records else None)
    world.records, world.states, world.before = [], [], None
    with pytest.raises(OpsError, match=r"other changes\.\nThe release is recorded and not deployed\."):
        start(platform, Order(("web",), {"web": NEXT}), nothing, refuse)
    assert world.records == [NEXT]


def test_an_undo_is_not_held_against_the_review(world: World, platform: Platform) -> None:
    reviewed: list[object] = []
    world.while_testing = fail
    with pytest.raises(OpsError, match="was undone"):
        start(platform, Order(("web",), {"web": NEXT}), nothing, reviewed.append)
    assert (len(reviewed), world.applied) == (1, [NEXT, BEFORE])


@pytest.mark.parametrize(
    ("known", "state", "told", "deployed"),
    [
        (Age.OLDER, IN_SERVICE, "Skipped: dev runs abcdef1, which is newer than abcdef2. ", False),
        (
            Age.OLDER,
            RECORDED,
            "Skipped: dev has the release of abcdef1, which is newer than abcdef2. ",
            False,
        ),
        (Age.OLDER, FAILED, "", True),
        (Age.NOT_OLDER, IN_SERVICE, "", True),
        (Age.DIVERGED, IN_SERVICE, "neither abcdef2 nor abcdef1, which it replaces, is built on", True),
        (Age.UNKNOWN, IN_SERVICE, "not know here whether abcdef2 is older than abcdef1", True),
    ],
)
def test_only_a_commit_that_is_known_to_be_older_is_skipped(
    known: Age,
    state: str,
    told: str,
    deployed: bool,
    world: World,
    platform: Platform,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recorder, "age", lambda *_: known)
    world.states = [state]
    world.completed = state == IN_SERVICE
    said: list[str] = []
    run(platform, NEXT, said.append)
    assert (world.applied == [NEXT]) is deployed
    assert (len(world.records) == 2) is deployed
    ages = [line for line in said if "abcdef1" in line and "in place of" not in line]
    assert len(ages) == bool(told)
    assert told in "".join(ages)


def test_an_older_commit_is_deployed_if_somebody_says_so(
    world: World, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "age", lambda *_: Age.OLDER)
    start(platform, Order(("web",), {"web": NEXT}, allow_older=True), nothing)
    assert world.applied == [NEXT]


def test_of_several_releases_one_that_is_older_skips_all(
    world: World, both: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world.beside["api"], "records", [Image(API_BEFORE.image, "abcdef9")])
    monkeypatch.setattr(
        recorder, "age", lambda _, __, other: Age.OLDER if other == "abcdef9" else Age.NOT_OLDER
    )
    run(both, NEXT, api=API_NEXT)
    assert (world.records, world.applied) == ([BEFORE], [])


def plan_of(*addresses: str) -> dict[str, Any]:
    """A plan that creates these resources."""
    return {
        "resource_changes": [
            {"address": each, "type": each.partition(".")[0], "change": {"actions": ["create"], "after": {}}}
            for each in addresses
        ]
    }


TASK = "aws_ecs_task_definition.web_task"
PREPARING = plan_of("aws_ecs_task_definition.web_before_deploy", TASK)


def fail_to_prepare() -> None:
    raise ReleaseFailedError("before_deploy of web ended with exit code 3: It exited; nothing was deployed.")


def test_what_before_deploy_has_done_is_kept_by_an_undo_which_does_not_run_it(
    world: World, platform: Platform
) -> None:
    world.plans, world.while_testing = [PREPARING, plan_of(TASK), PREPARING], fail
    with pytest.raises(
        OpsError, match=r"was undone.*\nIt answers 500\.\nbefore_deploy is not undone: a migration"
    ):
        run(platform, NEXT)
    assert (world.ran, world.applied) == (["web"], [NEXT, BEFORE])


def test_a_before_deploy_that_fails_takes_the_record_back_and_applies_nothing(
    world: World, platform: Platform
) -> None:
    world.plans, world.while_preparing = [PREPARING], fail_to_prepare
    with pytest.raises(
        OpsError,
        match=r"^dev: before_deploy of web ended with exit code 3: It exited; nothing was deployed\. web "
        r"runs abcdef1 \(\S+\) as before\. Fix it and deploy again\.\nbefore_deploy is not undone",
    ):
        run(platform, NEXT)
    assert world.records == [BEFORE, NEXT, BEFORE]
    assert world.states == [IN_SERVICE, FAILED, IN_SERVICE]
    assert (world.undone, world.applied) == ([(1, 2)], [])


def test_the_before_deploy_of_a_release_that_was_there_before_is_not_run(
    world: World, platform: Platform
) -> None:
    world.marks, world.plans, said = {1: (1, 0)}, [PREPARING], list[str]()
    run(platform, said=said.append)
    assert (world.ran, world.applied) == ([], [BEFORE])
    assert "    web: before_deploy is not run, because its release was there before" in said


def test_the_before_deploy_of_a_release_that_was_never_in_service_is_run(
    world: World, platform: Platform
) -> None:
    world.records, world.states = [NEXT, BEFORE, NEXT], [RECORDED, IN_SERVICE, RECORDED]
    world.marks, world.plans = {3: (1, 0)}, [PREPARING]
    run(platform)
    assert (world.ran, world.applied) == (["web"], [NEXT])


def test_a_plan_that_is_not_as_reviewed_runs_no_before_deploy(world: World, platform: Platform) -> None:
    def refuse(_: object) -> None:
        raise OpsError("It makes other changes.")

    world.plans = [PREPARING]
    with pytest.raises(OpsError, match="makes other changes"):
        start(platform, Order(("web",)), nothing, refuse)
    assert (world.ran, world.applied) == ([], [])


def test_what_is_applied_after_a_before_deploy_is_a_part_of_the_plan_before_it(
    world: World, platform: Platform
) -> None:
    world.plans = [PREPARING, plan_of(TASK, "aws_lb.shared")]
    with pytest.raises(
        OpsError,
        match=r"the plan of dev-service makes other changes than before: aws_lb\.shared\..*\nbefore_deploy "
        r"of web has run, and nothing else was applied\. `make deploy ENV=dev` applies the rest\.",
    ):
        run(platform, NEXT)
    assert (world.ran, world.applied) == (["web"], [])
