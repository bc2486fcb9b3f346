"""The fetcher, against a real HTTP server on the loopback."""

import hashlib
import io
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ops.terraform.fetch import PINNED, Distribution, FetchError, fetch, find, platform_name
from tests.places import ROOT
from tests.serving import serving


def _archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("LICENSE.txt", "not wanted")
        archive.writestr("terraform", "#!/bin/sh\necho fetched\n")
    return buffer.getvalue()


ARCHIVE = _archive()
RELEASE = Distribution("9.9.9", {"linux_amd64": hashlib.sha256(ARCHIVE).hexdigest()})


@contextmanager
def _releases(status: int = 200, body: bytes = ARCHIVE, withheld: int = 0) -> Iterator[str]:
    """Answers every request with the body, of which the last bytes may be announced but withheld."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path.startswith("/terraform/") and self.path.endswith("_amd64.zip")
            self.send_response(status if found else 400)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) - withheld])

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with serving(server):
        yield f"http://127.0.0.1:{server.server_port}/terraform"


def _executable(path: Path, version: str) -> None:
    path.write_text(f"""#!/bin/sh\necho '{{"terraform_version": "{version}"}}'\n""")
    path.chmod(0o755)


def _run(directory: Path, releases: str) -> subprocess.CompletedProcess[str]:
    """Runs the fetcher as make does, where PATH holds what the directory `bin` holds."""
    binaries = directory / "bin"
    binaries.mkdir(exist_ok=True)
    variables = {
        **os.environ,
        "PATH": str(binaries),
        "PYTHONPATH": str(ROOT),
        "TERRAFORM_RELEASES_URL": releases,
    }
    return subprocess.run(
        [sys.executable, "-m", "ops.terraform.fetch"],
        cwd=directory,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_archive_s_terraform_is_put_in_place_and_runs(tmp_path: Path) -> None:
    with _releases() as url:
        terraform = fetch(RELEASE, "linux_amd64", url, tmp_path / "tools")
    assert terraform == tmp_path / "tools" / "terraform"
    assert subprocess.check_output([terraform], text=True) == "fetched\n"
    assert list(terraform.parent.iterdir()) == [terraform]


@pytest.mark.parametrize(
    ("status", "body", "withheld", "message"),
    [
        pytest.param(200, ARCHIVE + b"x", 0, f"expected {RELEASE.checksums['linux_amd64']}", id="checksum"),
        pytest.param(404, b"", 0, "answered 404 Not Found", id="not found"),
        pytest.param(
            200, ARCHIVE, 7, f"cut short: {len(ARCHIVE) - 7} of {len(ARCHIVE)} bytes", id="truncated"
        ),
    ],
)
def test_a_bad_answer_leaves_the_former_terraform_and_nothing_else(
    tmp_path: Path, status: int, body: bytes, withheld: int, message: str
) -> None:
    former = tmp_path / "terraform"
    former.write_text("former")
    with _releases(status, body, withheld) as url, pytest.raises(FetchError, match=message):
        fetch(RELEASE, "linux_amd64", url, tmp_path)
    assert [(path, path.read_text()) for path in tmp_path.iterdir()] == [(former, "former")]


def test_no_server_is_said_in_one_line(tmp_path: Path) -> None:
    with _releases() as url:
        pass
    with pytest.raises(FetchError, match=r"could not be fetched: .*refused.*put it on PATH\.$"):
        fetch(RELEASE, "linux_amd64", url, tmp_path)


def test_only_web_addresses_are_fetched(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="=file:///tmp is not an http or https address"):
        fetch(RELEASE, "linux_amd64", "file:///tmp", tmp_path)


@pytest.mark.parametrize(("system", "machine"), [("Windows", "AMD64"), ("Linux", "riscv64")])
def test_a_platform_without_pinned_checksum_is_named_with_those_that_have_one(
    system: str, machine: str
) -> None:
    with pytest.raises(
        FetchError, match=r"no Terraform is pinned for .*; pinned are darwin_amd64, .*linux_arm64"
    ):
        platform_name(system, machine)


@pytest.mark.parametrize(
    ("system", "machine", "name"),
    [
        ("Linux", "x86_64", "linux_amd64"),
        ("Linux", "aarch64", "linux_arm64"),
        ("Darwin", "x86_64", "darwin_amd64"),
        ("Darwin", "arm64", "darwin_arm64"),
    ],
)
def test_the_platform_has_the_name_of_its_archive(system: str, machine: str, name: str) -> None:
    assert platform_name(system, machine) == name
    assert len(bytes.fromhex(PINNED.checksums[name])) == hashlib.sha256().digest_size


def test_an_archive_other_than_the_pinned_one_ends_with_status_2_and_no_terraform(tmp_path: Path) -> None:
    # Whatever this machine is, the archive served is not Terraform's.
    with _releases() as url:
        finished = _run(tmp_path, url)
    assert finished.returncode == 2
    assert finished.stdout == ""
    assert [line.partition(" ")[0] for line in finished.stderr.splitlines()] == ["setup:", "setup:"]
    assert list((tmp_path / ".tools").iterdir()) == []


def test_a_recent_enough_tofu_is_used_when_terraform_is_too_old(tmp_path: Path) -> None:
    binaries = tmp_path / "bin"
    binaries.mkdir()
    _executable(binaries / "terraform", "1.9.8")
    _executable(binaries / "tofu", "1.10.0-beta1")
    finished = _run(tmp_path, "http://127.0.0.1:9")
    assert (finished.returncode, finished.stderr) == (
        0,
        f"setup: using tofu 1.10.0-beta1 ({binaries / 'tofu'})\n",
    )
    assert not (tmp_path / ".tools").exists()


def test_a_terraform_fetched_before_is_used_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tools = tmp_path / ".tools"
    tools.mkdir()
    _executable(tools / "terraform", PINNED.version)
    monkeypatch.chdir(tmp_path)
    found = find()
    assert found is not None
    assert (found.path, found.version) == (tools / "terraform", PINNED.version)
