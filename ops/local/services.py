"""The services of an environment on this machine: how each is run, in what order, and why one is not."""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from ops.core.checkout import SOURCE, Checkout
from ops.core.console import minutes
from ops.core.errors import OpsError
from ops.core.files import exclusive, read_json
from ops.images import image
from ops.images.engine import Engine
from ops.local import firsts, processes
from ops.local.app import Manner, address_of, run_app, stop_app
from ops.local.caches import Caches
from ops.local.embedded import Embedded
from ops.local.jobs import RunTask, run_to_end
from ops.local.names import app_name, container_name
from ops.local.readiness import STATUS, Answers, Listens, Passes, Readiness, Stays
from ops.local.runners import (
    CommandRunner,
    ContainerRunner,
    ProcessRunner,
    Program,
    Runner,
    TaskRunner,
    command_in,
)
from ops.local.tasks import Container, read_container
from stacks.containers import Container as Planned
from stacks.images import images
from stacks.naming import internal_name, task_volume, variable
from stacks.routing import address_port, port_of
from stacks.service_settings import Service
from stacks.settings import Environment, Project
from stacks.workloads import Workload, used_services, workload

BEFORE_DEPLOY_SECONDS: Final = 1200.0
"""Limit of a command of before_deploy, as in `make deploy` by default."""

PROBES: Final = "PROBES"
"""The variable of a status app with the URLs that it asks."""

NOBODY: Final = "http://127.0.0.1:9"
"""Where nobody answers: the port of the discard service, which nothing offers any more."""

Before = Callable[[Mapping[str, str]], None]
"""Takes a program's variables."""

MakeProgram = Callable[[Mapping[str, str]], Program]
"""Takes variables, and returns the program that has them."""


class NotRunError(OpsError):
    """A service is not run on this machine; the text says why."""


@dataclass(frozen=True, slots=True)
class Ran:
    """A service that runs: its address if it listens, and a line on what was done for it."""

    address: str
    what: str
    differs: Mapping[str, str]
    """Its variables that are not those of the task definition, beside those that ECS gives."""


@dataclass(frozen=True)
class Services:
    """The services of an environment; with an engine in containers, else as processes."""

    checkout: Checkout
    embedded: Embedded
    project: Project
    environment: Environment
    engine: Engine | None = None
    runs_before_deploy: bool = True
    """Whether a start is preceded by the command of `before_deploy`; `make deploy` runs that as a task."""

    _built: dict[str, str] = field(default_factory=dict)

    def run(self, key: str) -> Ran:
        """Runs a service as its task definition says, and restarts only what has changed.

        Raises NotRunError if it is not run here, and OpsError if it does not get ready.
        """
        planned = workload(self.project, self.environment, key)
        self._stop_others(planned)
        if reason := self.reason(planned.settings):
            raise NotRunError(reason)
        if self.engine is None or planned.settings.kind == "status":
            return self._one(planned)
        ran = [self._contained(planned, each, self.engine) for each in planned.containers]
        target = ran[planned.containers.index(planned.target)]
        return replace(
            ran[0], address=target.address, what=", ".join(dict.fromkeys(each.what for each in ran))
        )

    def stop_removed(self) -> None:
        """Stops what an earlier `make up` ran and the settings no longer have, and notes what they have."""
        file = self.checkout.local / f"services-{self.environment.name}.json"
        has = {
            app_name(self.environment, key, container)
            for key, service in self.environment.services.items()
            for container in (key, *service.sidecars)
        }
        known: list[str] = json.loads(file.read_text()) if file.exists() else []
        for name in known:
            if name not in has:
                stop_app(name, self.checkout.local)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(sorted(has)))

    def address(self, key: str) -> str:
        """Returns the address of a service that runs here, or an empty string."""
        target = self.environment.services[key].target_container
        contained = address_of(app_name(self.environment, key, target), self.checkout.local) if target else ""
        return contained or address_of(app_name(self.environment, key), self.checkout.local)

    def runs(self, key: str) -> bool:
        """Whether a service runs here, and it is known where."""
        name, local = app_name(self.environment, key), self.checkout.local
        return processes.running(name, local) is not None and (local / f"{name}.json").exists()

    def note_engine(self) -> None:
        """Notes how these services are run, for later commands."""
        noted = asdict(self.engine) if self.engine else {}
        _engine_file(self.checkout, self.environment).write_text(json.dumps(noted))

    def one_off(self, key: str) -> RunTask:
        """Returns the way to run a task that is not a service's: of a job, or of `before_deploy`.

        Without an engine it is the local command of the job, or the command of `before_deploy` where that
        of the service runs. The peers are those on this machine. Raises NotRunError if there is no local
        command.
        """
        service = self.environment.services[key]
        if engine := self.engine:
            image = self._image(engine, workload(self.project, self.environment, key).main)
            called = self._one_off_container(key)

            def contained(container: Container, variables: Mapping[str, str]) -> Program:
                runner = TaskRunner(
                    engine,
                    image,
                    called,
                    container.definition,
                    container.memory,
                    self._volumes(service),
                )
                return runner.program(0, self._here(service, variables))

            return contained
        if service.local is None:
            raise NotRunError(f"{key} has no [services.{key}.local] command, which would run it here.")
        directory = SOURCE / service.local.working_directory
        command = service.local.command if service.kind == "job" else service.before_deploy

        def program(container: Container, variables: Mapping[str, str]) -> Program:
            del container
            return command_in(directory, command, self._here(service, variables))

        return program

    def end_one_off(self, key: str) -> None:
        """Removes the container of `one_off`, which can outlive the command that runs it."""
        if self.engine:
            self.engine.remove(self._one_off_container(key))

    def reason(self, service: Service) -> str:
        """Returns why a service is not run, or an empty string."""
        if service.kind == "job":
            return "a job, which is not started by itself"
        if service.kind == "status" or self.engine or service.local:
            return ""
        if service.image and not service.dockerfile:
            return "third-party image: RUN=image runs it, with docker or podman"
        return "no [services.<name>.local] command; RUN=image runs its image, with docker or podman"

    def _stop_others(self, planned: Workload) -> None:
        """Stops sidecars where they are not run, and a service that is not run any more."""
        as_containers = self.engine is not None
        for each in planned.containers:
            is_main = each is planned.main
            if (not is_main and not as_containers) or self.reason(planned.settings):
                stop_app(app_name(self.environment, planned.key, each.name), self.checkout.local)

    def _one(self, planned: Workload) -> Ran:
        """Runs a service's own container: the status app, or the local command of another service."""
        service = planned.settings
        container, differs = self._container(planned, planned.main)
        name = app_name(self.environment, planned.key)
        if service.kind == "status":
            return self._started(name, container, differs, self._status_runner(planned, name), Manner(STATUS))
        if service.local is None:
            raise NotRunError(self.reason(service))
        directory = SOURCE / service.local.working_directory
        runner = CommandRunner(service.local.command, directory)
        port = address_port(service) or port_of(service)
        ready: Readiness = Stays()
        if port:
            ready = Answers(service.health_path, service.health_status) if planned.balanced else Listens()
        before = self._before(
            planned, lambda variables: command_in(directory, service.before_deploy, variables)
        )
        manner = Manner(ready, (port,) if port else (), before=before)
        ran = self._started(name, container, differs, runner, manner)
        skipped = [each.name for each in planned.containers[1:]]
        note = f", without {', '.join(skipped)}: sidecars run in containers only" if skipped else ""
        return replace(ran, what=ran.what + note)

    def _contained(self, planned: Workload, each: Planned, engine: Engine) -> Ran:
        """Runs one container of a service; all share this machine's network, as those of a task theirs."""
        container, differs = self._container(planned, each)
        name = app_name(self.environment, planned.key, each.name)
        called = container_name(self.checkout, name)
        runner = TaskRunner(
            engine,
            self._image(engine, each),
            called,
            container.definition,
            container.memory,
            self._volumes(planned.settings),
        )
        ready: Readiness = Stays()
        if each.port and each is planned.target and planned.balanced:
            ready = Answers(planned.health_path, planned.health_status)
        elif each.health:
            ready = Passes((engine.executable, "exec", called, *each.health.command))
        elif each.port:
            ready = Listens()
        before = None
        if each is planned.main:
            before = self._before(
                planned,
                lambda variables: runner.one_off(
                    self._one_off_container(planned.key), planned.settings.before_deploy, variables
                ),
            )
        fixed = len(planned.containers) > 1
        manner = Manner(ready, (each.port,) if each.port else (), fixed=fixed, before=before)
        return self._started(name, container, differs, runner, manner)

    def _started(
        self, name: str, container: Container, differs: Mapping[str, str], runner: Runner, manner: Manner
    ) -> Ran:
        done: list[str] = []
        before = manner.before

        def told(variables: Mapping[str, str]) -> None:
            if before:
                before(variables)
                done.append("before_deploy ended with status 0")

        app = run_app(
            self.embedded,
            container,
            name,
            self.environment.region,
            self.checkout.local,
            runner,
            replace(manner, before=told),
        )
        port = app.address.rpartition(":")[2]
        if port and container.variables.get("PORT", port) != port:
            differs = {"PORT": port, **differs}
        done.append("started" if app.started else "unchanged")
        return Ran(app.address, ", ".join(done), differs)

    def _container(self, planned: Workload, each: Planned) -> tuple[Container, dict[str, str]]:
        """Returns a registered container that reaches its peers on this machine, and what differs by that."""
        found = read_container(self.embedded, self.project, self.environment, planned.key, each.name)
        peers = dict(self._peers(planned.settings))
        differs = {name: peers[value] for name, value in found.variables.items() if value in peers}
        differs |= {name: here for name, here in self._stores(planned.settings) if name in found.variables}
        if planned.settings.kind == "status" and PROBES in found.variables:
            differs[PROBES] = self.probes(planned.key, found.variables[PROBES])
        return replace(found, variables={**found.variables, **differs}), differs

    def probes(self, own: str, there: str) -> str:
        """Returns what a status app asks over HTTP, at the addresses of services on this machine.

        Where one does not run nobody answers, and never what the domain leads to. The app itself is left out:
        its port is not known before it starts.
        """
        found = {}
        for component, url in json.loads(there).items():
            key, parts = component.partition(".")[2], urlsplit(url)
            if key != own:
                query = f"?{parts.query}" if parts.query else ""
                found[component] = f"{self.address(key) or NOBODY}{parts.path}{query}"
        return json.dumps(found)

    def _here(self, service: Service, variables: Mapping[str, str]) -> dict[str, str]:
        """Returns variables with which a service finds its peers on this machine."""
        peers, stores = dict(self._peers(service)), dict(self._stores(service))
        return {name: stores.get(name, peers.get(value, value)) for name, value in variables.items()}

    def _stores(self, service: Service) -> Iterator[tuple[str, str]]:
        """Yields the variables of caches that run here, and of volumes where no container mounts them."""
        for use in service.uses:
            if use.kind == "caches" and (
                address := Caches(self.checkout, self.environment).address(use.name)
            ):
                yield variable(use.name, "cache_url"), f"redis://{address}"
            if use.kind == "volumes" and not self.engine:
                yield variable(use.name, "path"), str(self._directory(use.name))

    def _volumes(self, service: Service) -> dict[str, Path]:
        """Returns the directories that stand for the volumes of a service."""
        used = [use.name for use in service.uses if use.kind == "volumes"]
        return {task_volume(name): self._directory(name) for name in used}

    def _directory(self, volume: str) -> Path:
        directory = self.checkout.local / "volumes" / f"{self.environment.name}-{volume}"
        directory.mkdir(parents=True, exist_ok=True)
        # On AWS all files belong to one user, whatever user a container runs as.
        directory.chmod(0o777)
        return directory

    def _peers(self, service: Service) -> Iterator[tuple[str, str]]:
        """Yields where a service finds those that it uses, on AWS and here."""
        for name in used_services(service.uses):
            there = internal_name(self.project.name, self.environment.name, name)
            if here := self.address(name):
                yield f"http://{there}:{address_port(self.environment.services[name])}", here

    def _before(self, planned: Workload, program: MakeProgram) -> Before | None:
        """Returns what runs the command of `before_deploy`, with the variables of the service."""
        if not planned.settings.before_deploy or not self.runs_before_deploy:
            return None
        name = f"before-{self.environment.name}-{planned.key}"
        log = self.checkout.local / "logs" / f"{name}.log"

        def run(variables: Mapping[str, str]) -> None:
            try:
                code = run_to_end(name, self.checkout.local, program(variables), BEFORE_DEPLOY_SECONDS)
            finally:
                self.end_one_off(planned.key)
            if code != 0:
                how = (
                    f"took more than {minutes(BEFORE_DEPLOY_SECONDS)} and was stopped"
                    if code is None
                    else f"ended with status {code}"
                )
                raise OpsError(
                    f"before_deploy of {planned.key} {how}: {processes.last_line(log)}\nLog: {log}"
                )

        return run

    def _one_off_container(self, key: str) -> str:
        return f"{container_name(self.checkout, app_name(self.environment, key))}-task"

    def _status_runner(self, planned: Workload, name: str) -> Runner:
        if self.engine is None:
            return ProcessRunner(os.environ)
        called = container_name(self.checkout, name)
        return ContainerRunner(self.engine, self._image(self.engine, planned.main), called)

    def _image(self, engine: Engine, each: Planned) -> str:
        """Returns a container's image: built once from the working tree, or pulled."""
        if each.release is None:
            engine.pull(each.image or "")
            return each.image or ""
        if each.release not in self._built:
            (source,) = (found for found in images(self.environment) if found.name == each.release)
            wanted = image.named(self.project, source, firsts.COMMIT)
            log = self.checkout.local / "logs" / f"image-{each.release}.log"
            self._built[each.release] = image.build(engine, self.project, wanted, log, native=True).id
        return self._built[each.release]


def alone(checkout: Checkout) -> AbstractContextManager[None]:
    """Keeps others from starting and stopping anything here. Raises OpsError if somebody is at it."""
    return exclusive(checkout.state / "local.lock", "Another `make up` or `make down` is at work here")


def noted_engine(checkout: Checkout, environment: Environment) -> Engine | None:
    """Returns the engine with which `make up` last ran the services of an environment; None for processes."""
    noted = read_json(_engine_file(checkout, environment))
    return Engine(**noted) if noted else None


def _engine_file(checkout: Checkout, environment: Environment) -> Path:
    return checkout.local / f"engine-{environment.name}.json"
