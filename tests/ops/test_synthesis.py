"""What is told when the program fails."""

from pathlib import Path

import pytest

from ops.checkout import Checkout
from ops.errors import OpsError, UsageError
from ops.synthesis import synthesize

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
