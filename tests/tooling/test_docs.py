"""What the documentation promises to list in full, and what it has readers type."""

import re
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import httpx

from ops.core.checkout import SOURCE
from tests.serving import free_port

YOUR_SERVICE = (SOURCE / "docs/your-service.md").read_text()
MENDS = SOURCE / "ops/local/embedded_server/mends"


def test_the_page_about_the_embedded_aws_names_every_mend() -> None:
    page = (SOURCE / "docs/embedded-aws.md").read_text()
    mends = {file.stem for file in MENDS.glob("*.py")} - {"__init__"}
    assert {name for name in mends if f"`{name}`" not in page} == set()


def _blocks(language: str) -> list[str]:
    """The code blocks of docs/your-service.md in a language."""
    return re.findall(rf"^```{language}\n(.+?)^```", YOUR_SERVICE, re.DOTALL | re.MULTILINE)


def test_the_program_of_the_page_about_your_service_keeps_to_the_page(tmp_path: Path) -> None:
    (program,) = _blocks("python")
    (tmp_path / "app.py").write_text(program)
    port = free_port()
    command = (sys.executable, "-W", "error", "app.py", "--host", "127.0.0.1", "--port", str(port))
    with subprocess.Popen(command, cwd=tmp_path, env={"GREETING": "Hi"}, stdout=subprocess.PIPE) as process:
        try:
            assert _asked(process, f"http://127.0.0.1:{port}/health") == "ok\n"
            assert _asked(process, f"http://127.0.0.1:{port}/") == "Hi\n"
        finally:
            process.terminate()
        assert process.wait(30) == 0


def _asked(process: "subprocess.Popen[bytes]", url: str) -> str:
    """What a program that is starting answers."""
    deadline = time.monotonic() + 30
    while True:
        try:
            return httpx.get(url).raise_for_status().text
        except httpx.ConnectError:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_the_settings_of_the_page_about_your_service_are_toml() -> None:
    documents = [tomllib.loads(block) for block in _blocks("toml")]
    assert documents[0]["services"]["web"]["dockerfile"] == "hello/Dockerfile"
