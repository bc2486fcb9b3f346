"""A stack's working directory: the synthesized JSON, and what Terraform keeps beside it."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from rich.text import Text

from ops.core.console import complaints
from ops.core.errors import OpsError
from ops.core.files import exclusive, write_private
from ops.terraform import locks, providers, waiting
from ops.terraform.binary import RUNNING, Terraform, TerraformError

OnLine = Callable[[str], None]

_CONFIGURATION: Final = "cdk.tf.json"
_OVERRIDE: Final = "backend_override.tf.json"
_LOCK_FILE: Final = ".terraform.lock.hcl"
_LOCK_TIMEOUT: Final = f"-lock-timeout={locks.WAIT}s"

_WRONG_CHECKSUM: Final = "checksums previously recorded in the dependency lock file"
_OTHER_PROVIDERS: Final = (
    "Changes to the required provider dependencies were detected, but the lock file is read-only",
    "does not match configured version constraint",
)
"""Terraform's errors when `-lockfile=readonly` finds other packages, providers or versions."""

_STALE_PLAN: Final = ("Saved plan is stale", "Saved plan does not match the given state")
"""Terraform's errors, before it does anything, for a plan of another serial or lineage of the state.

Source: Terraform's source, backend/local, where it reads a plan file.
"""


class StalePlanError(OpsError):
    """A state has changed since it was planned, so Terraform refused to apply the plan: nothing was done."""


@dataclass(frozen=True)
class Workspace:
    """The directory, executable and environment that Terraform uses for one stack.

    `root` holds a directory for each stack; `environment` selects the AWS account and endpoint.
    """

    stack: str
    root: Path
    terraform: Terraform
    environment: Mapping[str, str]

    @property
    def directory(self) -> Path:
        """Returns the working directory."""
        return self.root / self.stack

    @property
    def saved_plan(self) -> Path:
        """Returns the path of the plan that `apply_plan` applies."""
        return self.directory / "plan.tfplan"

    @property
    def plan_json(self) -> Path:
        """Returns the path of the last plan's JSON, even if planning failed; only its owner can read it."""
        return self.directory / "plan.json"

    @property
    def plan_error(self) -> Path:
        """Returns the path of Terraform's errors if the last plan failed; only its owner can read it."""
        return self.directory / "plan.error"

    def log(self, command: str) -> Path:
        """Returns the path of a command's last output."""
        return self.root / "logs" / f"{self.stack}-{command}.log"

    @contextmanager
    def reserved(self) -> Iterator[None]:
        """Keeps other commands of this machine out of the directory while the block runs.

        Raises OpsError if another command uses it.
        """
        lock = self.root / "locks" / self.stack
        with exclusive(lock, f"Another command is at work on {self.stack}; try again when it is done"):
            yield

    def refuse_running(self) -> None:
        """Raises OpsError if Terraform still runs in the directory, though its command was killed."""
        file = self.directory / RUNNING
        try:
            process = int(file.read_text())
            os.kill(process, 0)
        except (FileNotFoundError, ValueError, ProcessLookupError, PermissionError):
            return
        raise OpsError(
            f"Terraform is still at work on {self.stack}, though its command was killed (process {process}). "
            f"Wait until it ends. If that process is something else, remove {file} and try again."
        )

    def take(self, configuration: Path) -> None:
        """Copies a synthesized file into this directory as its configuration.

        Raises OpsError if the file does not exist.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        aside = self.directory / f"{_CONFIGURATION}.new"
        try:
            shutil.copyfile(configuration, aside)
        except FileNotFoundError:
            raise OpsError(f"{configuration} does not exist. Run `make synth`.") from None
        aside.replace(self.directory / _CONFIGURATION)

    def take_together(self, configurations: Mapping[str, Path]) -> None:
        """Copies synthesized files, by the names of their stacks, as the modules of one configuration.

        Terraform can validate that, and nothing else: it has no backend. Raises OpsError if a file does not
        exist.
        """
        shutil.rmtree(self.directory, ignore_errors=True)
        required: dict[str, Any] = {}
        for stack, configuration in configurations.items():
            module = replace(self, root=self.directory, stack=stack)
            module.take(configuration)
            required |= module._required_providers()
        modules = {stack: {"source": f"./{stack}"} for stack in configurations}
        together = {"terraform": {"required_providers": required}, "module": modules}
        (self.directory / _CONFIGURATION).write_text(json.dumps(together))

    def edit(self, change: Callable[[bytes], bytes]) -> None:
        """Changes the configuration here, so that `planned_from` refuses its plan."""
        file = self.directory / _CONFIGURATION
        file.write_bytes(change(file.read_bytes()))

    def use_local_state(self) -> None:
        """Keeps the state in the working directory, regardless of the configuration's backend.

        Source: Terraform's documentation, "Override Files".
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        (self.directory / _OVERRIDE).write_text('{"terraform": {"backend": {"local": {}}}}\n')

    def use_backend(self) -> None:
        """Keeps the state in the configuration's backend, after a local one was moved there."""
        (self.directory / _OVERRIDE).unlink(missing_ok=True)
        if self._local_state.exists():
            # Terraform leaves the file behind, and the next `init` would ask whether to copy it again.
            self._local_state.replace(self._local_state.with_suffix(".moved"))

    @property
    def has_local_state(self) -> bool:
        """Whether `use_local_state` is in force."""
        return (self.directory / _OVERRIDE).exists()

    def init(self, *arguments: str) -> None:
        """Runs `terraform init`, one at a time, since the plugin cache does not support concurrent use.

        Installs only the provider that `providers.LOCK_FILE` locks, which also lets Terraform take it
        from the plugin cache. For OpenTofu, and for a provider that is overridden, the lock file starts
        as a copy of the first one in the checkout, so that every stack has the same checksum. Raises
        OpsError if the provider cannot be reached or does not match.

        Source: Terraform's documentation, "Provider Plugin Cache" and "Command: init".
        """
        lock = self.directory / _LOCK_FILE
        first = self.terraform.first_lock_file
        with exclusive(self.terraform.shared / "plugin-cache.lock"):
            if self.terraform.checks_lock_file(self.environment) and self._required_providers():
                shutil.copyfile(providers.LOCK_FILE, lock)
                self._fetch("-lockfile=readonly", *arguments)
                return
            if not lock.exists() and first.exists():
                shutil.copyfile(first, lock)
            self._fetch(*arguments)
            if lock.exists() and not first.exists():
                shutil.copyfile(lock, first)

    def _required_providers(self) -> Mapping[str, Any]:
        """Returns the providers that the configuration requires; a read-only lock file may hold no other."""
        configuration = json.loads((self.directory / _CONFIGURATION).read_text())
        required: Mapping[str, Any] = configuration.get("terraform", {}).get("required_providers", {})
        return required

    def _fetch(self, *arguments: str) -> None:
        try:
            self._run_locked("init", *arguments)
        except TerraformError as error:
            host = self.terraform.registry
            told = " ".join(str(error).split())
            if _WRONG_CHECKSUM in told:
                raise OpsError(
                    f"The AWS provider does not have the checksums in {_locked_in()}, so it was not "
                    "installed. `make doctor` prints where it comes from: remove it there or name another "
                    f"source.\nLog: {error.log}"
                ) from error
            if any(text in told for text in _OTHER_PROVIDERS):
                raise OpsError(
                    f"The stacks require other providers than {_locked_in()} locks. docs/platform.md says "
                    f'how to renew it: "Where the AWS provider comes from".\nLog: {error.log}'
                ) from error
            if host in told and not providers.answers(host):
                raise OpsError(
                    f"The AWS provider could not be fetched: {host} cannot be reached, and no mirror of it "
                    f"is on this machine. {providers.HOW_TO_MIRROR}\nLog: {error.log}"
                ) from error
            raise

    def move_state_to_backend(self) -> None:
        """Copies the local state to the configuration's backend and uses that from then on."""
        (self.directory / _OVERRIDE).unlink(missing_ok=True)
        try:
            self.init("-migrate-state", "-force-copy")
        except BaseException:
            self.use_local_state()
            raise
        self.use_backend()

    def move_state_to_directory(self) -> None:
        """Copies the state from the backend to the working directory and uses that from then on."""
        self.use_local_state()
        self.init("-migrate-state", "-force-copy")

    def validate(self) -> None:
        """Runs `terraform validate`; needs an `init` without the backend."""
        self._run("validate")

    def plan(self, *arguments: str, on_line: OnLine | None = None, lock: bool = True) -> Any:
        """Runs `terraform plan`, saves the plan, its JSON and its configuration's digest; returns the JSON.

        Without `lock` it neither waits for the state's lock nor takes it: it may then read a state
        that is about to change, and Terraform refuses to apply such a plan.

        The JSON holds sensitive values in plain text, so it must not be logged. If planning fails,
        Terraform's errors and the JSON of the partial plan are kept. Raises WaitsError, and keeps the JSON
        but no plan to apply, if another stack has to be applied first.
        """
        self.discard_plan()
        try:
            out = f"-out={self.saved_plan.name}"
            if lock:
                self._run_locked("plan", out, *arguments, on_line=on_line)
            else:
                self._run("plan", out, "-lock=false", *arguments, on_line=on_line)
            plan = self.show_plan()
            write_private(self.plan_json, plan)
        except TerraformError as error:
            write_private(self.plan_error, ("\n\n".join(error.errors) or str(error)).encode())
            if self.saved_plan.exists():
                # Terraform also saves a plan that failed half-way; it can be shown but not applied.
                with suppress(TerraformError):
                    write_private(self.plan_json, self.show_plan())
                self.saved_plan.unlink()
            waiting.require_states(self.stack, error.errors)
            raise
        document = json.loads(plan)
        try:
            waiting.require_nothing_missing(document)
        except waiting.WaitsError:
            self.saved_plan.unlink()
            raise
        self._digest_file.write_text(_digest(self.directory / _CONFIGURATION))
        return document

    def show_plan(self) -> bytes:
        """Returns the saved plan as JSON, read by Terraform again, which takes seconds."""
        return self._read("show", "-json", self.saved_plan.name)

    def pull_state(self) -> bytes:
        """Returns the state from its backend; unlike `terraform show`, this needs no provider."""
        return self._read("state", "pull")

    def apply_plan(self, on_line: OnLine | None = None) -> None:
        """Applies exactly the saved plan, and removes it once it is applied.

        Raises StalePlanError if the state has changed since, as after waiting for its lock.
        """
        try:
            self._run_locked("apply", self.saved_plan.name, on_line=on_line)
        except TerraformError as error:
            if any(stale in block for block in error.errors for stale in _STALE_PLAN):
                raise StalePlanError(
                    f"The state of {self.stack} has changed since it was planned, so Terraform refused the "
                    "plan and nothing was applied. Plan again: `make plan`, or run `make deploy` or `make "
                    "bootstrap` again."
                ) from None
            raise
        self.discard_plan()

    def discard_plan(self) -> None:
        """Removes the saved plan and the files kept with it."""
        for file in (self.saved_plan, self._digest_file, self.plan_json, self.plan_error):
            file.unlink(missing_ok=True)

    def planned_from(self, configuration: Path) -> bool:
        """Whether the saved plan was made from this synthesized file.

        Raises OpsError if the file does not exist.
        """
        if not configuration.exists():
            raise OpsError(f"{configuration} does not exist. Run `make synth`.")
        return self._digest_file.exists() and self._digest_file.read_text() == _digest(configuration)

    def apply(self, on_line: OnLine | None = None) -> None:
        """Runs `terraform apply` without a saved plan."""
        self._run_locked("apply", "-auto-approve", on_line=on_line)

    def destroy(self, on_line: OnLine | None = None) -> None:
        """Runs `terraform destroy` without asking."""
        self._run_locked("destroy", "-auto-approve", on_line=on_line)

    @property
    def _local_state(self) -> Path:
        return self.directory / "terraform.tfstate"

    @property
    def _digest_file(self) -> Path:
        return self.directory / "plan.sha256"

    def _read(self, *arguments: str) -> bytes:
        return self.terraform.read(arguments, directory=self.directory, environment=self.environment)

    def _run_locked(self, command: str, *arguments: str, on_line: OnLine | None = None) -> None:
        """Runs a command that locks the state; if somebody holds the lock, says who and waits for it.

        The first attempt does not wait, since Terraform waits in silence. Raises StateLockedError if
        the lock is not released in time.
        """
        try:
            return self._run(command, *arguments, on_line=_without_refusal(on_line))
        except TerraformError as error:
            held = locks.refused(self.stack, error.errors)
            if held is None:
                raise
        complaints.print(Text(locks.waiting(held), "yellow"))
        try:
            self._run(command, _LOCK_TIMEOUT, *arguments, on_line=_without_refusal(on_line))
        except TerraformError as error:
            held = locks.refused(self.stack, error.errors)
            if held is None:
                raise
            raise locks.given_up(held) from None

    def _run(self, command: str, *arguments: str, on_line: OnLine | None = None) -> None:
        self.terraform.run(
            (command, *arguments),
            directory=self.directory,
            log=self.log(command),
            environment=self.environment,
            on_line=on_line,
        )


def _without_refusal(on_line: OnLine | None) -> OnLine | None:
    """Returns `on_line` for all lines but those on a lock that is held, with which the output ends."""
    if on_line is None:
        return None
    refused = False

    def see(line: str) -> None:
        nonlocal refused
        refused = refused or locks.is_refusal(line)
        if not refused:
            on_line(line)

    return see


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _locked_in() -> str:
    return "/".join(providers.LOCK_FILE.parts[-2:])
