"""`python -m diagram`: what it prints, and what it says of files that it cannot draw."""

import json
from pathlib import Path

import pytest

from diagram.__main__ import main

STACK = {"resource": {"aws_subnet": {"one": {"cidr_block": "10.0.1.0/24"}}}}


def run(*files: str | Path) -> int:
    """Runs the command and returns its exit status."""
    with pytest.raises(SystemExit) as ended:
        main([str(file) for file in files])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_the_picture_is_printed_in_a_fence(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    file = tmp_path / "dev-network" / "cdk.tf.json"
    file.parent.mkdir()
    file.write_text(json.dumps(STACK))
    assert run(file) == 0
    out, err = capsysbinary.readouterr()
    assert out.startswith(b"```mermaid\n")
    assert b"accTitle: dev-network" in out
    assert err == b""


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("nowhere.json", None, "nowhere.json: No such file"),
        ("text.json", "text", "text.json: is not Terraform JSON"),
        ("list.json", "[]", "list is not Terraform JSON: it must be an object"),
    ],
)
def test_what_cannot_be_read_ends_with_status_two_and_words(
    file: str, content: str | None, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is not None:
        (tmp_path / file).write_text(content)
    assert run(tmp_path / file) == 2
    out, err = capsys.readouterr()
    assert words in err
    assert not out


def test_each_stack_is_named_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "dev.json"
    file.write_text(json.dumps(STACK))
    assert run(file, file) == 2
    assert "there is another stack called dev" in capsys.readouterr().err
