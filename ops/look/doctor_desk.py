"""The doctor's checks of this machine: what `make setup` installs, and programs that it does not."""

import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path
from typing import Final

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ops.core.checkout import Checkout
from ops.core.errors import OpsError
from ops.images.engine import find_engine
from ops.look.doctor import Check, Finding
from ops.look.execute import INSTALL
from ops.setup import COMPLETE, ENVIRONMENT, INSTALLER_LOCK, PACKAGES_LOCK
from stacks.reading import SettingsError, read_platform
from stacks.rules import warnings

LOCKED: Final = ("setup", "app", "dev", "checkov")
"""The names in `requirements/` that have a list (`.in`) and a lock (`.txt`)."""

_SETUP: Final = "make setup"
_SECONDS: Final = 10.0


def desk_checks(checkout: Checkout, source: Path) -> tuple[Check, ...]:
    """Returns the checks of the settings and of what is installed; `source` is the project's directory."""
    return (
        Check("settings", lambda: settings(checkout)),
        Check("Python", lambda: python(source)),
        Check("packages", lambda: packages(source)),
        Check("locks", lambda: locks(source)),
        Check("Node", lambda: node(source)),
        Check("git", lambda: git(source)),
        Check("container engine", engine),
        Check("AWS CLI", lambda: optional("AWS CLI", "aws")),
        Check("session plugin", lambda: optional("session plugin", "session-manager-plugin")),
    )


def settings(checkout: Checkout) -> Iterator[Finding]:
    """Reports whether `environments/` can be read."""
    try:
        found = read_platform(checkout.environments)
    except SettingsError as error:
        yield Finding("settings", "wrong", str(error), "Fix the file; docs/settings.md says what is allowed.")
    else:
        yield Finding("settings", "ok", f"{found.project.name}: {', '.join(found.environments)}")
        for warning in warnings(found):
            yield Finding("settings", "note", f"{checkout.environments}/{warning}")


def python(source: Path) -> Iterator[Finding]:
    """Reports whether this is the Python of `.venv`, which is complete and as new as its locks."""
    here = source / ENVIRONMENT
    version = platform.python_version()
    if Path(sys.prefix).resolve() != here.resolve():
        yield Finding("Python", "note", f"{version}, which is not that of {ENVIRONMENT}", _SETUP)
    elif not (source / COMPLETE).exists():
        yield Finding("Python", "wrong", f"{ENVIRONMENT} is incomplete", _SETUP)
    elif newer := _newer(source, (INSTALLER_LOCK, PACKAGES_LOCK), source / COMPLETE):
        yield Finding("Python", "wrong", f"{ENVIRONMENT} is older than {newer}", _SETUP)
    else:
        yield Finding("Python", "ok", f"{version} in {ENVIRONMENT}")


def packages(source: Path) -> Iterator[Finding]:
    """Reports whether the installed versions are those of the lock; the installation checked the hashes."""
    installed = {str(canonicalize_name(each.name)): each.version for each in distributions()}
    wanted = locked_versions((source / PACKAGES_LOCK).read_text())
    other = [
        f"{name} is {installed[name]}, locked {version}"
        if name in installed
        else f"{name} {version} is missing"
        for name, version in wanted.items()
        if installed.get(name) != version
    ]
    if other:
        shown = "; ".join(other[:3]) + (f"; {len(other) - 3} more" if len(other) > 3 else "")
        yield Finding("packages", "wrong", shown, f"touch {PACKAGES_LOCK} && {_SETUP}")
    else:
        yield Finding("packages", "ok", f"{len(wanted)} as in {PACKAGES_LOCK}")


def locks(source: Path) -> Iterator[Finding]:
    """Reports whether the locks satisfy the lists."""
    directory = source / "requirements"
    missing = []
    for name in LOCKED:
        versions = locked_versions((directory / f"{name}.txt").read_text(), everywhere=True)
        for requirement in _requirements(directory / f"{name}.in"):
            version = versions.get(canonicalize_name(requirement.name))
            if version is None:
                missing.append(f"{name}.txt lacks {requirement}")
            elif not requirement.specifier.contains(version, prereleases=True):
                missing.append(
                    f"{name}.txt has {requirement.name} {version}, {name}.in requires {requirement}"
                )
    if missing:
        yield Finding("locks", "wrong", "; ".join(missing), "make lock")
    else:
        yield Finding("locks", "ok", "requirements/*.txt have all that requirements/*.in ask for")


def locked_versions(lock: str, *, everywhere: bool = False) -> dict[str, str]:
    """Returns the versions in a lock by canonical name, for this machine or, with `everywhere`, for any."""
    versions = {}
    for line in lock.splitlines():
        requirement, _, marker = line.removesuffix("\\").partition(";")
        name, pinned, version = requirement.strip().partition("==")
        if not pinned or line[0] in " #":
            continue
        if everywhere or not marker.strip() or Marker(marker.strip()).evaluate():
            versions[str(canonicalize_name(name))] = version
    return versions


def node(source: Path) -> Iterator[Finding]:
    """Reports whether the Node that synthesis needs runs."""
    version = _version(str(source / ENVIRONMENT / "bin" / "node"))
    if version is None:
        yield Finding(
            "Node", "wrong", f"{ENVIRONMENT}/bin/node does not run", f"rm -rf {ENVIRONMENT} && {_SETUP}"
        )
    else:
        yield Finding("Node", "ok", version.removeprefix("v"))


def git(source: Path) -> Iterator[Finding]:
    """Reports whether git runs and there is a commit to name images after."""
    executable = shutil.which("git")
    version = _version(executable) if executable else None
    if executable is None or version is None:
        yield Finding("git", "wrong", "does not run", "Install git and put it on PATH.")
        return
    found = _output_of((executable, "-C", str(source), "rev-parse", "--short", "HEAD"))
    if found is None:
        text = "this checkout has no commit, so images have no name"
        yield Finding("git", "note", text, "Give COMMIT= to the commands for images, or clone with git.")
    else:
        yield Finding("git", "ok", f"{version.removeprefix('git version ')}, at {found}")


def engine() -> Iterator[Finding]:
    """Reports whether docker or podman answers, which only commands about images need."""
    try:
        found = find_engine()
    except OpsError as error:
        remedy = " ".join(str(error).partition("here. ")[2].splitlines())
        text = "neither docker nor podman answers; make image and make up RUN=image need one"
        yield Finding("container engine", "note", text, remedy)
    else:
        yield Finding("container engine", "ok", f"{found.kind} ({found.executable})")


def optional(name: str, program: str) -> Iterator[Finding]:
    """Reports whether a program runs that only `make exec` needs."""
    executable = shutil.which(program)
    version = _version(executable) if executable else None
    if version is None:
        text = f"{program} {'does not run' if executable else 'is not on PATH'}; make exec needs it"
        yield Finding(name, "note", text, INSTALL[program])
    else:
        yield Finding(name, "ok", version)


def _requirements(file: Path) -> Iterator[Requirement]:
    for line in file.read_text().splitlines():
        text = line.partition("#")[0].strip()
        if text and not text.startswith("-"):
            yield Requirement(text)


def _newer(source: Path, files: tuple[Path, ...], than: Path) -> str:
    written = than.stat().st_mtime
    return " and ".join(str(file) for file in files if (source / file).stat().st_mtime > written)


def _version(executable: str) -> str | None:
    """Returns the first line of a program's version text, or None if it does not run."""
    output = _output_of((executable, "--version"))
    return output.splitlines()[0] if output else None


def _output_of(command: tuple[str, ...]) -> str | None:
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            check=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
