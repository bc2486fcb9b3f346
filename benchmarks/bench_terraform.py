"""How long Terraform takes at a desk: with the types that a configuration names, beside all of the provider.

Every figure is of a whole command on the network of an environment, at the embedded AWS: the medians of
several runs that take turns, in seconds of wall time, and of CPU time with the provider's. The table goes to
the terminal and to `.oaktree/bench-terraform.md`; with `--smallest`, which only shows that everything works,
to the terminal alone.
"""

import argparse
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.bench_synth import settings_of
from ops.local.embedded import start_embedded, stop_embedded
from ops.terraform.binary import find_terraform
from ops.terraform.workspace import Workspace
from stacks.reading import read_platform
from stacks.synthesis import synthesize
from tests.places import ROOT

RESULT: Final = ROOT / ".oaktree" / "bench-terraform.md"
ROUNDS: Final = 5

COMMANDS: Final = (("validate",), ("plan", "-out=plan.tfplan"), ("show", "-json", "plan.tfplan"))


class Run(NamedTuple):
    """Seconds of one command, without and with what ran beside it."""

    wall: float
    cpu: float


def main() -> None:
    """Measure, print the table and write it to a file."""
    parser = argparse.ArgumentParser(description="Measure Terraform at a desk.")
    parser.add_argument("--smallest", action="store_true", help="only show that everything works")
    smallest = parser.parse_args().smallest
    with tempfile.TemporaryDirectory(prefix="bench-terraform-") as directory:
        text = measure(Path(directory), 1 if smallest else ROUNDS)
    print(text)
    if not smallest:
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text(text)


def measure(directory: Path, rounds: int) -> str:
    """The table: a row for each command, with the ratio of both ways."""
    platform = read_platform(settings_of(3, directory / "environments"))
    synthesize(platform, directory / "out")
    account, region = platform.environments["dev"].account_id, platform.environments["dev"].region
    embedded = start_embedded(directory / "embedded", account)
    try:
        variables = embedded.environment(account, region, _with_mirror())
        named = _network(directory, "named", variables)
        # Whoever wants the provider's log gets Terraform as it is.
        whole = _network(directory, "whole", variables | {"TF_LOG_PROVIDER": "off"})
        lines = [
            "| command | named types: s | CPU s | all types: s | CPU s | times as fast |",
            "|---|---:|---:|---:|---:|---:|",
        ]
        for command in COMMANDS:
            runs = [(_run(named, command), _run(whole, command)) for _ in range(rounds + 1)][1:]
            less, more = (_median([run[way] for run in runs]) for way in (0, 1))
            lines.append(
                f"| {command[0]} | {less.wall:.2f} | {less.cpu:.2f} | {more.wall:.2f} | {more.cpu:.2f} "
                f"| {more.wall / less.wall:.1f} |"
            )
    finally:
        stop_embedded(directory / "embedded")
    return "\n".join(lines) + "\n"


def _with_mirror() -> dict[str, str]:
    """Returns the environment; a provider that this checkout has need not be fetched."""
    fetched = find_terraform(ROOT / ".oaktree").plugin_cache
    mirror = {"TF_PLUGIN_MIRROR": str(fetched)} if any(fetched.glob("*/hashicorp/aws")) else {}
    return mirror | os.environ


def _network(directory: Path, name: str, variables: dict[str, str]) -> Workspace:
    """Returns a working directory with the network of dev, and no state."""
    terraform = find_terraform(directory / "shared")
    workspace = Workspace("dev-network", directory / name, terraform, variables)
    workspace.take(directory / "out/stacks/dev-network/cdk.tf.json")
    workspace.use_local_state()
    workspace.init()
    return workspace


def _run(workspace: Workspace, command: Sequence[str]) -> Run:
    print(f"bench-terraform: {command[0]}", file=sys.stderr)
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    workspace.terraform.read(command, directory=workspace.directory, environment=workspace.environment)
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Run(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def _median(runs: Sequence[Run]) -> Run:
    return Run(statistics.median(run.wall for run in runs), statistics.median(run.cpu for run in runs))


if __name__ == "__main__":
    main()
