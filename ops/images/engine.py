"""The container engine of this machine: docker, or podman if docker does not answer."""

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from ops.core.ecs import DIGEST
from ops.core.errors import OpsError

_LOOPBACK: Final = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d+)?/")

CONFINED: Final = (
    "--read-only",
    "--cap-drop=all",
    "--security-opt=no-new-privileges",
)
"""Options of every container: a read-only root, no capabilities and no new privileges.

Source: Docker, "docker container run"; podman-run(1).
"""


@dataclass(frozen=True)
class Layer:
    """A step of an image's history: how many bytes it adds and what created it."""

    size: int
    made_by: str


@dataclass(frozen=True)
class Image:
    """An image that the engine has; `size` is that of its unpacked layers in bytes."""

    id: str
    size: int
    layers: tuple[str, ...]
    labels: Mapping[str, str]
    user: str = ""
    """The user that it runs as; empty for root."""

    @property
    def runs_as_root(self) -> bool:
        """Whether its user is root, by name, by number or because it names none."""
        return self.user.partition(":")[0] in ("", "0", "root")


@dataclass(frozen=True)
class Engine:
    """A container engine's command line."""

    kind: Literal["docker", "podman"]
    executable: str

    def build(
        self,
        context: Path,
        dockerfile: Path,
        tag: str,
        *,
        labels: Mapping[str, str],
        epoch: int,
        flags: Sequence[str] = (),
        log: Path | None = None,
    ) -> None:
        """Builds an image and tags it; the engine's output goes to `log`, or else to stderr.

        `epoch` is the image's time in seconds, `flags` go before all others. Raises OpsError if the
        build fails.
        """
        # Podman also sets the time of the layers' files, and cached layers keep that of their build. So it
        # gets the same time in every build, and only the label has the commit's.
        own = (
            ("--format=docker", "--timestamp=0")
            if self.kind == "podman"
            else ("--provenance=false", f"--build-arg=SOURCE_DATE_EPOCH={epoch}")
        )
        what = _what(context, dockerfile, tag, labels)
        command = (self.executable, "build", *flags, *own, *what)
        if log is None:
            done = subprocess.run(command, stdout=2, check=False)
        else:
            log.parent.mkdir(parents=True, exist_ok=True)
            with log.open("w") as output:
                done = subprocess.run(command, stdout=output, stderr=output, check=False)
        if done.returncode:
            where = f"Log: {log}" if log else "It says why above."
            raise OpsError(f"`{self.kind} build` failed with status {done.returncode}. {where}")

    def publish(
        self,
        context: Path,
        dockerfile: Path,
        tag: str,
        *,
        labels: Mapping[str, str],
        epoch: int,
        flags: Sequence[str] = (),
    ) -> str:
        """Builds an image, pushes it with its provenance and SBOM, and returns its digest.

        The digest is that of an index, which holds the image and its attestations. Only BuildKit
        creates them, so this needs docker with buildx. Source: Docker, "Build attestations",
        "docker buildx build".
        """
        if self.kind != "docker":
            raise OpsError(
                "Publishing needs docker with buildx: podman makes no provenance. Use `make image`."
            )
        with tempfile.TemporaryDirectory() as directory:
            metadata = Path(directory, "metadata.json")
            command = (
                self.executable,
                "buildx",
                "build",
                *flags,
                "--push",
                "--provenance=mode=max",
                "--sbom=true",
                f"--build-arg=SOURCE_DATE_EPOCH={epoch}",
                f"--metadata-file={metadata}",
                *_what(context, dockerfile, tag, labels),
            )
            if status := subprocess.run(command, stdout=2, check=False).returncode:
                raise OpsError(f"`docker buildx build` failed with status {status}. It says why above.")
            digest = json.loads(metadata.read_text()).get("containerimage.digest", "")
        if not DIGEST.fullmatch(digest):
            raise OpsError(f"docker pushed {tag} and did not say its digest.")
        return str(digest)

    def image(self, name: str) -> Image | None:
        """Returns an image of the engine, or None if it has none of that name."""
        done = self._ask("image", "inspect", name)
        if done.returncode:
            return None
        (found,) = json.loads(done.stdout)
        return Image(
            id=found["Id"].removeprefix("sha256:"),
            size=int(found["Size"]),
            layers=tuple(found["RootFS"]["Layers"]),
            labels=found["Config"].get("Labels") or {},
            user=found["Config"].get("User") or "",
        )

    def history(self, name: str) -> tuple[Layer, ...]:
        """Returns the steps that created an image, the first one first."""
        template = "{{.Size}}\t{{.CreatedBy}}"
        done = self._run("history", "--no-trunc", "--human=false", f"--format={template}", name)
        steps = (line.partition("\t") for line in done.splitlines() if line)
        return tuple(Layer(_bytes(size), made_by) for size, _, made_by in steps)[::-1]

    def tag(self, name: str, other: str) -> None:
        """Gives an image another name."""
        self._run("tag", name, other)

    def log_in(self, host: str, user: str, password: str) -> None:
        """Logs the engine in to a registry."""
        plain = self._without_tls(f"{host}/")
        self._run("login", *plain, "--username", user, "--password-stdin", host, typed=password)

    def push(self, name: str) -> str:
        """Pushes a tagged image and returns its digest in the registry."""
        if self.kind == "docker":
            output = self._run("push", name)
            if not (found := DIGEST.search(output)):
                raise OpsError(f"docker pushed {name} and did not say its digest: {output.strip()}")
            return found[0]
        with tempfile.TemporaryDirectory() as directory:
            file = Path(directory, "digest")
            self._run("push", *self._without_tls(name), f"--digestfile={file}", name)
            return file.read_text().strip()

    def run_command(
        self,
        image: str,
        name: str,
        command: Sequence[str],
        variables: Sequence[str],
        *options: str,
        confined: Sequence[str] = CONFINED,
    ) -> tuple[str, ...]:
        """Returns the command that runs a container in the foreground, on the host's network, and removes it.

        `variables` are names: the values come from the command's environment, so that no list of
        processes shows them. Signals reach the container.
        """
        # By default podman mounts a writable /tmp, /run and /var/tmp, and passes on this machine's proxies.
        own = ("--read-only-tmpfs=false", "--http-proxy=false") if self.kind == "podman" else ()
        return (
            self.executable,
            "run",
            "--rm",
            f"--name={name}",
            "--network=host",
            "--pull=never",
            *confined,
            *own,
            *(f"--env={variable}" for variable in variables),
            *options,
            image,
            *command,
        )

    def pull(self, image: str) -> None:
        """Pulls a third-party image unless this machine has it.

        Raises OpsError if the registry does not have it or does not answer.
        """
        if self._ask("image", "inspect", image).returncode:
            self._run("pull", "--quiet", image)

    def stop(self, name: str, seconds: int) -> bool:
        """Stops a container, or kills it after `seconds`; returns False if it does not exist."""
        return self._ask("stop", f"--time={seconds}", name).returncode == 0

    def remove(self, name: str) -> None:
        """Removes a container if it exists, running or not."""
        self._ask("rm", "--force", name)

    def _without_tls(self, name: str) -> tuple[str, ...]:
        """Returns the option to use a registry on the loopback without TLS, which docker does by default."""
        return ("--tls-verify=false",) if self.kind == "podman" and _LOOPBACK.match(name) else ()

    def _ask(self, *arguments: str, typed: str | None = None) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            (self.executable, *arguments), input=typed, capture_output=True, text=True, check=False
        )

    def _run(self, *arguments: str, typed: str | None = None) -> str:
        done = self._ask(*arguments, typed=typed)
        if done.returncode:
            errors = done.stderr.strip().splitlines() or ["it does not say why"]
            raise OpsError(f"`{self.kind} {arguments[0]}` failed: {errors[-1]}")
        return done.stdout


def _what(context: Path, dockerfile: Path, tag: str, labels: Mapping[str, str]) -> tuple[str, ...]:
    """Returns the part of a build's command line that says what is built."""
    return (
        *(f"--label={name}={value}" for name, value in labels.items()),
        f"--tag={tag}",
        f"--file={dockerfile}",
        str(context),
    )


def find_engine() -> Engine:
    """Returns docker or, if it does not answer, podman.

    Raises OpsError if neither does.
    """
    complaints = []
    for name in ("docker", "podman"):
        executable = shutil.which(name)
        if executable is None:
            continue
        done = subprocess.run((executable, "info"), capture_output=True, text=True, check=False)
        if done.returncode == 0:
            # The package podman-docker installs podman under docker's name.
            version = subprocess.run((executable, "--version"), capture_output=True, text=True, check=False)
            return Engine("podman" if "podman" in version.stdout else "docker", executable)
        complaint = done.stderr.strip().splitlines() or ["it does not say why"]
        complaints.append(f"{name} does not work: {complaint[-1]}")
    raise OpsError(
        "No container engine answers here. "
        + "".join(f"{line}\n" for line in complaints)
        + "Install and start Docker Engine 23 or later, or podman 4.3 or later (apt-get install podman)."
    )


def build_flags() -> tuple[str, ...]:
    """Returns the flags for every build on this machine, from `IMAGE_BUILD_FLAGS`.

    For example `--platform=linux/arm64`, or `--secret=id=pip.conf,src=<file>` for a private package
    index.
    """
    return tuple(os.environ.get("IMAGE_BUILD_FLAGS", "").split())


def cache_flags(engine: Engine, name: str) -> tuple[str, ...]:
    """Returns the flags that keep an image's layers in the cache of GitHub Actions, where that is at hand.

    It is if the job passes on the token for it, which GitHub gives to actions only and not to steps that
    run a command. A cache that does not answer fails no build. Source: Docker, "GitHub Actions cache".
    """
    if engine.kind != "docker" or not os.environ.get("ACTIONS_RUNTIME_TOKEN"):
        return ()
    place = f"type=gha,scope=image-{name}"
    return f"--cache-from={place}", f"--cache-to={place},mode=max,ignore-error=true"


_UNITS: Final = {"B": 1, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9}


def _bytes(text: str) -> int:
    """Returns a size as the engines print it, in bytes: a number, for podman with a unit."""
    match = re.fullmatch(r"([\d.]+(?:e[+-]?\d+)?) ?([kKMG]?B)?", text.strip())
    if match is None:
        raise OpsError(f"The engine reports the size {text!r}, which is not a number of bytes.")
    return round(float(match[1]) * _UNITS[match[2] or "B"])
