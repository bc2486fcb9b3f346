"""Runs Terraform or OpenTofu: the executable, its environment, and its errors."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from ops.core.errors import OpsError
from ops.core.files import swap_in
from ops.terraform import fetch, providers, serving

T = TypeVar("T")

INTERRUPT_PATIENCE: Final = 300.0
"""Seconds for an interrupted Terraform to finish requests in flight, write its state and unlock it."""

RUNNING: Final = "terraform.pid"
"""File in a working directory with the id of the Terraform process that runs there."""

_POLL: Final = 0.1
"""Seconds between reads of a running Terraform's output."""

_LONGEST_LINE: Final = 300
_MOST_LINES: Final = 30

_SOURCE: Final = re.compile(r"\s+\d+: ")
"""How Terraform quotes a line of a configuration."""

_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")


class TerraformError(OpsError):
    """A Terraform command failed; `errors` are the `Error:` blocks of its output, `log` is all of it."""

    def __init__(self, command: str, exit_status: int, log: Path | None, errors: Sequence[str]) -> None:
        self.command = command
        self.exit_status = exit_status
        self.log = log
        self.errors = tuple(errors)
        blocks = "".join(f"\n{block}" for block in errors)
        where = f"\nLog: {log}" if log else ""
        super().__init__(f"`{command}` failed with exit status {exit_status}.{blocks}{where}")


@dataclass(frozen=True)
class Terraform:
    """An executable, and the directory of what its working directories share."""

    executable: Path
    version: str
    shared: Path

    @property
    def plugin_cache(self) -> Path:
        """Returns the directory of fetched providers, which all working directories share."""
        return self.shared / "plugin-cache"

    @property
    def registry(self) -> str:
        """Returns the host of the registry that this executable fetches providers from."""
        return providers.HOSTS.get(self.executable.name, providers.HOSTS["terraform"])

    @property
    def first_lock_file(self) -> Path:
        """Returns the path of the first recorded checksums of providers that `providers.LOCK_FILE` lacks."""
        return self.shared / "terraform.lock.hcl"

    def checks_lock_file(self, base: Mapping[str, str]) -> bool:
        """Whether this executable, with these variables, uses the provider in `providers.LOCK_FILE`."""
        return self.registry == providers.HOSTS["terraform"] and providers.override(base) is None

    def environment(self, base: Mapping[str, str]) -> dict[str, str]:
        """Returns the environment of a command: `base`, and settings for providers and automation.

        The provider comes from the source in `TF_CLI_CONFIG_FILE` if that file exists, else from a
        mirror (see `ops.terraform.providers`), else from Terraform's own defaults. Raises OpsError
        if `TF_PLUGIN_MIRROR` is not a directory.

        Source: Terraform's documentation, "Environment Variables" and "CLI Configuration File".
        """
        # Each stack has its own working directory, with the default workspace only.
        dropped = ("TF_DATA_DIR", "TF_WORKSPACE", "TF_CLI_CONFIG_FILE")
        result = {key: value for key, value in base.items() if key not in dropped}
        mirror = None
        if named := providers.named_configuration(base):
            result["TF_CLI_CONFIG_FILE"] = str(named)
        elif mirror := providers.mirror(base, self.registry, self.plugin_cache):
            result["TF_CLI_CONFIG_FILE"] = str(self._configuration(mirror))
        self.plugin_cache.mkdir(parents=True, exist_ok=True)
        # A cache that serves as the mirror would be copied onto itself.
        cache = {} if mirror == self.plugin_cache else {"TF_PLUGIN_CACHE_DIR": str(self.plugin_cache)}
        return result | {
            **cache,
            "TF_IN_AUTOMATION": "1",
            "TF_INPUT": "0",
            "CHECKPOINT_DISABLE": "1",
        }

    def run(
        self,
        arguments: Sequence[str],
        *,
        directory: Path,
        log: Path,
        environment: Mapping[str, str],
        on_line: Callable[[str], None] | None = None,
    ) -> None:
        """Runs a command in a working directory and writes its output to `log`.

        `on_line` gets each line as it is written, without colours. Raises TerraformError for an
        exit status other than 0. The first interrupt is passed on and Terraform ends by itself; a
        second one makes it stop at once.
        """
        log.parent.mkdir(parents=True, exist_ok=True)

        def attempt(provider: serving.Served) -> None:
            # Output goes to a file, so that Terraform continues even if this process is killed. In its own
            # session it gets an interrupt only from this process, and not from the terminal as well.
            with log.open("wb") as output, log.open(encoding="utf-8", errors="replace") as lines:
                process = subprocess.Popen(
                    (str(self.executable), *arguments, "-no-color"),
                    cwd=directory,
                    env=self.environment(environment) | provider.variables,
                    pass_fds=provider.descriptors,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    umask=0o077,  # plans and states hold sensitive values
                )
                try:
                    (directory / RUNNING).write_text(str(process.pid))
                    while _running(process):
                        _hand_on(lines.read(), on_line)
                except BaseException:
                    _interrupt(process)
                    raise
                finally:
                    (directory / RUNNING).unlink(missing_ok=True)
                _hand_on(lines.read(), on_line)
            if process.returncode:
                raise self._failed(arguments, process.returncode, log, log.read_text(errors="replace"))

        self._attempt(attempt, arguments, directory, environment)

    def read(self, arguments: Sequence[str], *, directory: Path, environment: Mapping[str, str]) -> bytes:
        """Runs a command in a working directory and returns its output, such as a plan or a state.

        The output holds sensitive values in plain text, so it goes into no log. Raises
        TerraformError for an exit status other than 0.
        """

        def attempt(provider: serving.Served) -> bytes:
            done = subprocess.run(
                (str(self.executable), *arguments, "-no-color"),
                cwd=directory,
                env=self.environment(environment) | provider.variables,
                pass_fds=provider.descriptors,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
            )
            if done.returncode:
                raise self._failed(arguments, done.returncode, None, done.stderr.decode(errors="replace"))
            return done.stdout

        return self._attempt(attempt, arguments, directory, environment)

    def _attempt(
        self,
        attempt: Callable[[serving.Served], T],
        arguments: Sequence[str],
        directory: Path,
        environment: Mapping[str, str],
    ) -> T:
        """Makes an attempt with the types of the provider that the configuration names, or else with all."""
        host, shared = self.registry, self.shared
        try:
            with serving.serving(arguments, directory, environment, host=host, shared=shared) as served:
                return attempt(served)
        except TerraformError as error:
            if not serving.lacks_types(error.errors):
                raise
        return attempt(serving.ITSELF)

    def _failed(
        self, arguments: Sequence[str], exit_status: int, log: Path | None, output: str
    ) -> TerraformError:
        shown = f"{self.executable.name} {' '.join(arguments)}"
        return TerraformError(shown, exit_status, log, error_blocks(output))

    def _configuration(self, mirror: Path) -> Path:
        path = self.shared / "terraform.rc"
        content = providers.mirror_configuration(mirror)
        if not path.exists() or path.read_text() != content:
            swap_in(path, content.encode())
        return path


def find_terraform(shared: Path) -> Terraform:
    """Returns `.tools/terraform`, or Terraform or OpenTofu from PATH.

    Raises OpsError if none is recent enough.
    """
    found = fetch.find()
    if found is None:
        least = ".".join(map(str, fetch.MINIMUM))
        raise OpsError(
            f"Neither terraform nor tofu of version {least} or later is on PATH. Run `make setup`."
        )
    return Terraform(found.path, found.version, shared)


def error_blocks(output: str) -> list[str]:
    """Returns the errors in Terraform's output, each without its frame and shortened for a person."""
    blocks: list[list[str]] = []
    inside = False
    for raw in _COLOUR.sub("", output).splitlines():
        line = raw.removeprefix("│").removeprefix(" ") if raw.startswith("│") else raw
        if line.startswith("Error:"):
            blocks.append([])
            inside = True
        elif line.startswith(("╵", "╷", "Warning:")):
            inside = False
        if inside:
            blocks[-1].append(line)
    return [_shortened(block) for block in blocks]


def _shortened(block: Sequence[str]) -> str:
    lines = [
        line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}..."
        for line in block
        # The whole configuration is one line, which says nothing about the error.
        if len(line) <= _LONGEST_LINE or not _SOURCE.match(line)
    ]
    if len(lines) > _MOST_LINES:
        lines = [*lines[:_MOST_LINES], "(the log has the rest)"]
    return "\n".join(lines).strip()


def _running(process: "subprocess.Popen[bytes]") -> bool:
    try:
        process.wait(_POLL)
    except subprocess.TimeoutExpired:
        return True
    return False


def _hand_on(text: str, on_line: Callable[[str], None] | None) -> None:
    if on_line:
        for line in text.splitlines():
            on_line(_COLOUR.sub("", line))


def _interrupt(process: "subprocess.Popen[bytes]") -> None:
    """Ends a running Terraform: gently, and at once if interrupted again while waiting."""
    process.send_signal(signal.SIGINT)
    print("Interrupted: waiting for Terraform to write its state and release its lock.", file=sys.stderr)
    try:
        process.wait(INTERRUPT_PATIENCE)
    except (KeyboardInterrupt, subprocess.TimeoutExpired):
        process.send_signal(signal.SIGINT)
        with suppress(KeyboardInterrupt, subprocess.TimeoutExpired):
            process.wait(10)
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
