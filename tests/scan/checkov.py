"""Installs checkov in an environment of its own, and runs it without network access."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from ops.setup import ENVIRONMENT, pip_settings
from tests.places import ROOT
from tests.scan.accepted import Failure

LOCK: Final = ROOT / "requirements/checkov.txt"
HOME: Final = ROOT / ".tools/checkov"
_COMPLETE: Final = HOME / ".complete"


class ScanError(Exception):
    """checkov could not be installed, or did not scan everything; the text says why."""


def install() -> None:
    """Brings the environment up to date with its lock."""
    if _COMPLETE.exists() and _COMPLETE.stat().st_mtime >= LOCK.stat().st_mtime:
        return
    print(f"scan: installing checkov ({LOCK.relative_to(ROOT)})", file=sys.stderr)
    uv, variables = str(ROOT / ENVIRONMENT / "bin/uv"), os.environ | pip_settings()
    for command in (
        (uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(HOME)),
        (uv, "pip", "sync", "--quiet", "--require-hashes", "--python", str(HOME / "bin/python"), str(LOCK)),
    ):
        done = subprocess.run(command, env=variables, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ScanError(f"`{' '.join(command)}` failed:\n{done.stderr}")
    _COMPLETE.touch()


def scan(directory: Path, resources: int) -> list[Failure]:
    """Returns the checks that fail for the plans in `directory`, `<settings>/<stack>.json`.

    Raises ScanError unless it scanned as many resources as there are.
    """
    # Neither a person's configuration file nor variables of Prisma Cloud have a say.
    variables = {"PATH": os.environ["PATH"], "HOME": str(directory), "LOG_LEVEL": "WARNING"}
    options = ("--framework", "terraform_plan", "--skip-download", "--quiet", "--compact", "--output", "json")
    done = subprocess.run(
        [str(HOME / "bin/checkov"), *options, "--directory", str(directory)],
        cwd=directory,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        report = json.loads(done.stdout)
        summary = report["summary"]
    except (ValueError, KeyError, TypeError):
        raise ScanError(
            f"checkov failed with exit status {done.returncode}:\n{done.stderr[-2000:]}"
        ) from None
    if summary["parsing_errors"] or summary["resource_count"] != resources:
        raise ScanError(f"checkov scanned {summary['resource_count']} of {resources} resources: {summary}")
    return failures(report)


def failures(report: Any) -> list[Failure]:
    """Returns the failed checks in checkov's report."""
    found = []
    for each in report["results"]["failed_checks"]:
        settings, stack = Path(each["file_path"].lstrip("/")).with_suffix("").parts
        found.append(Failure(each["check_id"], stack, each["resource"], settings, each["check_name"]))
    return found
