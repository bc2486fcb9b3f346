"""A stack's working directory: the synthesized JSON, and what Terraform keeps beside it."""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ops.core.errors import OpsError
from ops.core.files import exclusive, write_private
from ops.terraform import providers
from ops.terraform.binary import Terraform, TerraformError

OnLine = Callable[[str], None]

_CONFIGURATION: Final = "cdk.tf.json"
_OVERRIDE: Final = "backend_override.tf.json"
_LOCK_FILE: Final = ".terraform.lock.hcl"
_LOCK_TIMEOUT: Final = "-lock-timeout=120s"
"""An interrupted run may still be ending while its successor begins."""


@dataclass(frozen=True)
class Workspace:
    """Where and as whom Terraform works on one stack.

    `root` holds a directory for each stack; `environment` says which AWS it talks to.
    """

    stack: str
    root: Path
    terraform: Terraform
    environment: Mapping[str, str]

    @property
    def directory(self) -> Path:
        """The working directory."""
        return self.root / self.stack

    @property
    def saved_plan(self) -> Path:
        """The plan that `apply` applies."""
        return self.directory / "plan.tfplan"

    @property
    def plan_json(self) -> Path:
        """The last plan as JSON, also one that failed half-way; only its owner may read it."""
        return self.directory / "plan.json"

    @property
    def plan_error(self) -> Path:
        """What Terraform said when the last plan failed; only its owner may read it."""
        return self.directory / "plan.error"

    def log(self, command: str) -> Path:
        """The last output of a command."""
        return self.root / "logs" / f"{self.stack}-{command}.log"

    @contextmanager
    def reserved(self) -> Iterator[None]:
        """Keep other commands of this machine out of the directory. OpsError when one is at work in it."""
        lock = self.root / "locks" / self.stack
        with exclusive(lock, f"Another command is at work on {self.stack}; try again when it is done"):
            yield

    def take(self, configuration: Path) -> None:
        """Make a synthesized file this directory's configuration, unchanged.

        OpsError when the file is not there.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        aside = self.directory / f"{_CONFIGURATION}.new"
        try:
            shutil.copyfile(configuration, aside)
        except FileNotFoundError:
            raise OpsError(f"{configuration} does not exist. Run `make synth`.") from None
        aside.replace(self.directory / _CONFIGURATION)

    def use_local_state(self) -> None:
        """Keep the state in the working directory, whatever backend the configuration names.

        Source: Terraform's documentation, "Override Files".
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        (self.directory / _OVERRIDE).write_text('{"terraform": {"backend": {"local": {}}}}\n')

    def use_backend(self) -> None:
        """Keep the state where the configuration says; a local one was moved there."""
        (self.directory / _OVERRIDE).unlink(missing_ok=True)
        if self._local_state.exists():
            # Terraform leaves it behind and would ask at the next `init` whether to copy it once more.
            self._local_state.replace(self._local_state.with_suffix(".moved"))

    @property
    def has_local_state(self) -> bool:
        """Whether `use_local_state` is in force."""
        return (self.directory / _OVERRIDE).exists()

    def init(self, *arguments: str) -> None:
        """`terraform init`, one at a time, since the plugin cache allows for no more.

        Each working directory keeps a lock file of its own. Those of a checkout begin with what the
        first one found: so a provider is fetched once, and must have the same checksum everywhere.
        """
        lock = self.directory / _LOCK_FILE
        with exclusive(self.terraform.shared / "plugin-cache.lock"):
            if not lock.exists() and self.terraform.lock_file.exists():
                shutil.copyfile(self.terraform.lock_file, lock)
            self._fetch(*arguments)
            if lock.exists() and not self.terraform.lock_file.exists():
                shutil.copyfile(lock, self.terraform.lock_file)

    def _fetch(self, *arguments: str) -> None:
        try:
            self._run("init", *arguments)
        except TerraformError as error:
            host = self.terraform.registry
            if host in str(error) and not providers.answers(host):
                raise OpsError(
                    f"The AWS provider could not be fetched: {host} cannot be reached, and no mirror of it "
                    f"is on this machine. {providers.HOW_TO_MIRROR}\nLog: {error.log}"
                ) from error
            raise

    def move_state_to_backend(self) -> None:
        """Copy the local state to where the configuration says, which is in force from then on."""
        (self.directory / _OVERRIDE).unlink(missing_ok=True)
        try:
            self.init("-migrate-state", "-force-copy")
        except BaseException:
            self.use_local_state()
            raise
        self.use_backend()

    def move_state_to_directory(self) -> None:
        """Copy the state from the backend into the working directory, which is in force from then on."""
        self.use_local_state()
        self.init("-migrate-state", "-force-copy")

    def validate(self) -> None:
        """`terraform validate`, after an `init` without the backend."""
        self._run("validate")

    def plan(self, *arguments: str, on_line: OnLine | None = None) -> Any:
        """`terraform plan`, saved together with its JSON and a digest of the configuration it was made of.

        Returns the plan as of that JSON. It holds sensitive values in plain text: not for logs. When
        planning fails, what Terraform said is kept, and the JSON of the plan as far as it got.
        """
        self.discard_plan()
        try:
            self._run("plan", f"-out={self.saved_plan.name}", _LOCK_TIMEOUT, *arguments, on_line=on_line)
            self.saved_plan.chmod(0o600)
            plan = self.show_plan()
            write_private(self.plan_json, plan)
        except TerraformError as error:
            write_private(self.plan_error, ("\n\n".join(error.errors) or str(error)).encode())
            if self.saved_plan.exists():
                # Terraform saves a plan that failed half-way too, for looking at only.
                with suppress(TerraformError):
                    write_private(self.plan_json, self.show_plan())
                self.saved_plan.unlink()
            raise
        self._digest_file.write_text(_digest(self.directory / _CONFIGURATION))
        return json.loads(plan)

    def show_plan(self) -> bytes:
        """The saved plan as JSON, read again, which takes Terraform seconds."""
        return self._read("show", "-json", self.saved_plan.name)

    def pull_state(self) -> bytes:
        """The state as its backend has it; unlike `terraform show`, that needs no provider."""
        return self._read("state", "pull")

    def apply_plan(self, on_line: OnLine | None = None) -> None:
        """Apply exactly the saved plan, and remove it once it is applied."""
        self._run("apply", _LOCK_TIMEOUT, self.saved_plan.name, on_line=on_line)
        self.discard_plan()

    def discard_plan(self) -> None:
        """Forget the saved plan and what is kept with it."""
        for file in (self.saved_plan, self._digest_file, self.plan_json, self.plan_error):
            file.unlink(missing_ok=True)

    def planned_from(self, configuration: Path) -> bool:
        """Whether the saved plan was made of this synthesized file. OpsError when the file is not there."""
        if not configuration.exists():
            raise OpsError(f"{configuration} does not exist. Run `make synth`.")
        return self._digest_file.exists() and self._digest_file.read_text() == _digest(configuration)

    def apply(self, on_line: OnLine | None = None) -> None:
        """`terraform apply` without a plan to look at first."""
        self._run("apply", "-auto-approve", _LOCK_TIMEOUT, on_line=on_line)

    def destroy(self, on_line: OnLine | None = None) -> None:
        """`terraform destroy` without a question."""
        self._run("destroy", "-auto-approve", _LOCK_TIMEOUT, on_line=on_line)

    @property
    def _local_state(self) -> Path:
        return self.directory / "terraform.tfstate"

    @property
    def _digest_file(self) -> Path:
        return self.directory / "plan.sha256"

    def _read(self, *arguments: str) -> bytes:
        return self.terraform.read(arguments, directory=self.directory, environment=self.environment)

    def _run(self, command: str, *arguments: str, on_line: OnLine | None = None) -> None:
        self.terraform.run(
            (command, *arguments),
            directory=self.directory,
            log=self.log(command),
            environment=self.environment,
            on_line=on_line,
        )


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
