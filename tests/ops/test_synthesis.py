"""When the program runs, and what it says when it fails."""

from pathlib import Path

import pytest

from ops.core.checkout import Checkout
from ops.core.errors import OpsError, UsageError
from ops.terraform.synthesis import synthesize

FAILS = """
def fail(times):
    if times:
        fail(times - 1)
    try:
        {}["first"]
    except KeyError as error:
        raise RuntimeError("no such thing\\n  in a second line") from error

fail(3)
"""


def test_an_exception_is_told_in_a_line_and_kept_whole(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(FAILS)
    with pytest.raises(OpsError) as caught:
        synthesize(Checkout(tmp_path))
    log = tmp_path / ".oaktree/logs/synthesis.log"
    assert str(caught.value) == f"The synthesis failed: RuntimeError: no such thing\nLog: {log}"
    assert caught.value.status == 1
    assert "KeyError: 'first'" in log.read_text()
    assert log.read_text().endswith("  in a second line\n")


def test_the_programs_own_words_are_told_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("import sys\nprint('wrong: this', file=sys.stderr)\nsys.exit(2)\n")
    with pytest.raises(UsageError, match=r"^wrong: this$"):
        synthesize(Checkout(tmp_path))
    assert not (tmp_path / ".oaktree").exists()


def test_warnings_of_the_program_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "main.py").write_text("import sys\nprint('Warning: this', file=sys.stderr)\n")
    synthesize(Checkout(tmp_path))
    assert capsys.readouterr().err == "Warning: this\n"


COUNTS = """
import argparse
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--environments", type=Path)
parser.add_argument("--outdir", type=Path)
outdir = parser.parse_args().outdir
(outdir / "stacks").mkdir(parents=True, exist_ok=True)
(outdir / "stacks/one.json").write_text("{}")
runs = Path(__file__).with_name("runs")
runs.write_text(f"{runs.read_text() if runs.exists() else ''}.")
"""


def test_it_runs_only_when_what_it_reads_or_wrote_has_changed(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(COUNTS)
    checkout = Checkout(tmp_path)
    settings, code = checkout.environments / "dev.toml", tmp_path / "stacks/network.py"
    for file in (settings, code):
        file.parent.mkdir()
        file.write_text("")

    def runs() -> int:
        synthesize(checkout)
        synthesize(checkout)
        return len((tmp_path / "runs").read_text())

    assert runs() == 1
    settings.touch()
    assert runs() == 1
    settings.write_text("[network]")
    assert runs() == 2
    code.write_text("VPC = 1")
    assert runs() == 3
    (checkout.environments / "prod.toml").write_text("")
    assert runs() == 4
    (checkout.synthesized / "stacks/one.json").write_text("[]")
    assert runs() == 5
    (checkout.synthesized / "stacks/one.json").unlink()
    assert runs() == 6
    (tmp_path / "main.py").write_text(COUNTS + "\n")
    assert runs() == 7


def test_it_runs_again_after_a_failure(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("raise SystemExit(2)")
    for _ in range(2):
        with pytest.raises(UsageError):
            synthesize(Checkout(tmp_path))


def test_what_is_changed_while_it_runs_is_not_taken_for_what_it_read(tmp_path: Path) -> None:
    changes = "settings = parser.parse_args().environments / 'dev.toml'\nsettings.write_text('[network]')\n"
    (tmp_path / "main.py").write_text(COUNTS + changes)
    (tmp_path / "stacks").mkdir()
    checkout = Checkout(tmp_path)
    checkout.environments.mkdir()
    (checkout.environments / "dev.toml").write_text("")
    for expected in (1, 2, 2):
        synthesize(checkout)
        assert len((tmp_path / "runs").read_text()) == expected
