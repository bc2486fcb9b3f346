"""The whole platform on one machine: `up` starts it, `down` removes it.

After an interruption, a failure or a change, `up` resumes where it has to.
"""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, get_args

from ops.core.checkout import Checkout
from ops.core.errors import OpsError, UsageError
from ops.core.progress import Phase, Progress
from ops.images.engine import find_engine
from ops.local import firsts
from ops.local.app import stop_app
from ops.local.balancers import Balancers, url
from ops.local.caches import PREFIX as CACHE
from ops.local.caches import Caches, NoServerError
from ops.local.databases import PREFIX as DATABASE
from ops.local.databases import Databases
from ops.local.embedded import Embedded, find_embedded, start_embedded
from ops.local.services import NotRunError, Ran, Services, alone
from ops.terraform.binary import Terraform, find_terraform
from ops.terraform.phases import Phases, Place
from ops.terraform.workspace import OnLine, Workspace
from stacks import routing
from stacks.images import services_by_image
from stacks.naming import store_name
from stacks.settings import Environment, Platform
from stacks.workloads import in_order_of_use, workloads

Run = Literal["process", "image"]
"""How services run: as processes by their local commands, or their images in containers."""

RUNS: Final[tuple[Run, ...]] = get_args(Run)

_RESUME: Final = "`make up` resumes, `make down` removes it"


@dataclass(frozen=True, slots=True)
class Served:
    """A service after `up`: its kind, where it is reached if anywhere, why not, and what differs from AWS."""

    kind: str
    address: str
    why_not: str = ""
    differs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Up:
    """The result of `up`: the embedded AWS, each service, and each database and cache by its name in AWS."""

    embedded: Embedded
    services: Mapping[str, Served]
    stores: Mapping[str, Served]


def checked_run(text: str) -> Run:
    """Returns the way to run services that `RUN=` names.

    Raises UsageError if it names none.
    """
    for run in RUNS:
        if run == text:
            return run
    raise UsageError(f"RUN={text} is not a way to run services. Use one of {', '.join(RUNS)}.")


def up(checkout: Checkout, platform: Platform, environment: Environment, run: Run, progress: Progress) -> Up:
    """Applies the stacks that one environment needs on an embedded AWS, and runs its services.

    Raises PhaseError, which names the phase that failed. After an interrupt no process runs, and
    the applied stacks stay.
    """
    with alone(checkout):
        try:
            return _Up(checkout, platform, environment, run, progress).run()
        except KeyboardInterrupt:
            _stop_all_whatever_comes(checkout.local)
            raise


def down(checkout: Checkout) -> bool:
    """Stops everything that `up` started and removes its files; returns False if there was nothing."""
    if not checkout.local.exists():
        return False
    with alone(checkout):
        stop_all(checkout.local)
        # Moved away first, so that an interrupted removal does not leave half of the files in place.
        aside = checkout.state / f"local.removed-{os.getpid()}"
        checkout.local.replace(aside)
        for each in checkout.state.glob("local.removed*"):
            shutil.rmtree(each, ignore_errors=True)
            if each.exists():
                # A container that runs as another user writes such files into a volume.
                raise OpsError(f"Everything is stopped, but {each} has files of another user. Remove it.")
    return True


def stop_all(local: Path) -> None:
    """Stops every process that `up` started, the router first, then what uses others.

    Raises OpsError, once all others are stopped, for those that do not end.
    """
    left = list[str]()
    names = [path.stem for path in local.glob("*.pid")]
    for name in sorted(names, key=_order_of_end):
        try:
            stop_app(name, local)
        except OpsError as error:
            left.append(str(error))
    if left:
        raise OpsError("\n".join(left))


def _order_of_end(name: str) -> tuple[int, str]:
    """Returns a key that puts the router first, then services, databases and caches, and the embedded AWS."""
    rank = 0 if name.startswith("router-") else 2 if name.startswith((DATABASE, CACHE)) else 1
    return 3 if name == "embedded" else rank, name


def _stop_all_whatever_comes(local: Path) -> None:
    """Stops everything, however often somebody presses Ctrl-C meanwhile."""
    while True:
        try:
            return stop_all(local)
        except KeyboardInterrupt:
            continue


class _Up:
    """One run of `up`."""

    def __init__(
        self, checkout: Checkout, platform: Platform, environment: Environment, run: Run, progress: Progress
    ) -> None:
        self._checkout = checkout
        self._platform = platform
        self._project = platform.project
        self._environment = environment
        self._run = run
        self._phases = Phases(checkout, platform, environment, progress, _RESUME)

    def run(self) -> Up:
        phases = self._phases
        phases.synthesis()
        with phases.phase("embedded AWS") as phase:
            terraform = find_terraform(self._checkout.state)
            embedded = self._embedded(terraform, phase)
        place = self._place(terraform, embedded)
        for account_id in dict.fromkeys((self._project.account_id, self._environment.account_id)):
            phases.foundation(place, account_id, _apply)
        with phases.phase("images and secrets") as phase:
            images = self._firsts(embedded, phase)
        phases.releases(place, {name: (image, firsts.COMMIT) for name, image in images.items()})
        phases.environment(place, _apply)
        stores = self._databases(embedded) | self._caches()
        return Up(embedded, self._services(embedded), stores)

    def _embedded(self, terraform: Terraform, phase: Phase) -> Embedded:
        if found := find_embedded(self._checkout.local):
            if found.account_id != self._project.account_id:
                raise OpsError(
                    f"The embedded AWS that runs is account {found.account_id}, project.toml says "
                    f"{self._project.account_id}. `make down` removes it."
                )
            phase.result = f"runs already at {found.endpoint}"
            return found
        embedded = start_embedded(self._checkout.local, self._project.account_id)
        phase.result = f"at {embedded.endpoint}"
        # No command can be using an AWS that was not running.
        states = self._phases.states(self._place(terraform, embedded))
        if states.exists() and states.release_locks():
            phase.result += ", state locks of an interrupted run released"
        return embedded

    def _place(self, terraform: Terraform, embedded: Embedded) -> Place:
        region = self._environment.region
        return Place(
            terraform=terraform,
            client=embedded.client,
            environment=lambda account_id: embedded.environment(account_id, region, os.environ),
            directory=self._checkout.local,
        )

    def _firsts(self, embedded: Embedded, phase: Phase) -> dict[str, str]:
        project, environment = self._project, self._environment
        ecr = embedded.client("ecr", project.region)
        images = {
            name: firsts.put_image(ecr, project, name) for name in services_by_image(project, environment)
        }
        made = 0
        for _, variable, reference in (
            secret for each in workloads(project, environment) for secret in each.secrets
        ):
            client = embedded.client(reference.store, environment.region, environment.account_id)
            made += firsts.put_secret(client, variable, reference, self._checkout.local / "write-token")
        for zone in dict.fromkeys(
            zone for balancer in routing.balancers(environment) for zone in balancer.domains.values()
        ):
            route53 = embedded.client("route53", environment.region, environment.account_id)
            firsts.put_hosted_zone(route53, zone)
        phase.result = f"for {', '.join(images)}" + (f", secrets made up: {made}" if made else "")
        return images

    def _databases(self, embedded: Embedded) -> dict[str, Served]:
        """Runs the servers of the databases."""
        databases = Databases(self._checkout, embedded, self._project, self._environment)
        found = databases.all()
        databases.stop_removed(found)
        served = {}
        for each in found:
            with self._phases.phase(f"database {databases.key(each)}") as phase:
                try:
                    phase.result = databases.run(each)
                    served[each.identifier] = Served("database", each.address)
                except NotRunError as reason:
                    phase.result = f"not run: {reason}"
                    served[each.identifier] = Served("database", "", str(reason))
        return served

    def _caches(self) -> dict[str, Served]:
        """Runs the servers of the caches."""
        caches = Caches(self._checkout, self._environment)
        caches.stop_removed()
        served = {}
        for key in self._environment.caches:
            name = store_name(self._project.name, self._environment.name, key)
            with self._phases.phase(f"cache {key}") as phase:
                try:
                    phase.result = caches.run(key)
                    served[name] = Served("cache", caches.address(key))
                except NoServerError as reason:
                    phase.result = f"not run: {reason}"
                    served[name] = Served("cache", "", str(reason))
        return served

    def _services(self, embedded: Embedded) -> dict[str, Served]:
        """Runs the services, and the router in front of them."""
        environment = self._environment
        engine = find_engine() if self._run == "image" else None
        services = Services(self._checkout, embedded, self._project, environment, engine)
        services.stop_removed()
        services.note_engine()
        ran: dict[str, Ran] = {}
        missing: dict[str, str] = {}
        for key in in_order_of_use(environment):
            with self._phases.phase(f"app {key}") as phase:
                try:
                    ran[key] = services.run(key)
                    phase.result = ran[key].what
                except NotRunError as reason:
                    missing[key] = str(reason)
                    phase.result = f"not run: {reason}"
        balancers = Balancers(environment, self._checkout.local)
        addresses = {key: each.address.removeprefix("http://") for key, each in ran.items() if each.address}
        listeners = balancers.start(addresses, missing)
        return {
            key: Served(
                service.kind,
                url(key, listeners) or (ran[key].address if key in ran else ""),
                missing.get(key, ""),
                ran[key].differs if key in ran else {},
            )
            for key, service in environment.services.items()
        }


def _apply(workspace: Workspace, on_line: OnLine) -> None:
    workspace.apply(on_line=on_line)
