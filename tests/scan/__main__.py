"""Scans every stack of every environment: of `environments/`, of the shop and of the tests' own settings.

    python -m tests.scan

Exit status 1 when a check fails without a reason or a reason is stale, 2 when checkov does not run.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.places import ENVIRONMENTS, ROOT
from tests.scan import checkov
from tests.scan.accepted import judge, read_accepted
from tests.scan.plans import plan_of

SETTINGS = {
    "environments": ROOT / "environments",
    "tests": ENVIRONMENTS,
    "shop": ROOT / "examples/shop/environments",
}


def main() -> int:
    """Print what is wrong, or how many checks passed; returns the exit status."""
    try:
        checkov.install()
        with tempfile.TemporaryDirectory() as directory:
            resources = sum(_write_plans(Path(directory), name) for name in SETTINGS)
            failures = checkov.scan(Path(directory), resources)
    except checkov.ScanError as error:
        print(f"scan: {error}", file=sys.stderr)
        return 2
    accepted = read_accepted()
    wrong = list(judge(failures, accepted))
    for line in wrong:
        print(f"scan: {line}", file=sys.stderr)
    print(f"scan: {resources} resources, {len(failures)} failed checks, {len(accepted)} reasons")
    return 1 if wrong else 0


def _write_plans(directory: Path, name: str) -> int:
    """Synthesize the stacks of some settings and write their plans; returns how many resources they have."""
    with tempfile.TemporaryDirectory() as synthesized:
        outdir = Path(synthesized) / "out"
        command = (
            sys.executable,
            "-O",
            ROOT / "main.py",
            "--environments",
            SETTINGS[name],
            "--outdir",
            outdir,
        )
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise checkov.ScanError(done.stderr)
        (directory / name).mkdir()
        resources = 0
        for file in outdir.glob("stacks/*/cdk.tf.json"):
            plan = plan_of(json.loads(file.read_text()))
            resources += len(plan["resource_changes"])
            (directory / name / f"{file.parent.name}.json").write_text(json.dumps(plan))
    return resources


if __name__ == "__main__":
    sys.exit(main())
