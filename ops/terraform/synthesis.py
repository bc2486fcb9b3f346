"""Runs the program that writes the Terraform JSON, if anything has changed since its last run."""

import hashlib
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from ops.core.checkout import SOURCE, Checkout
from ops.core.errors import OpsError, UsageError

_TRACEBACK: Final = "Traceback (most recent call last):\n"


def synthesize(checkout: Checkout) -> None:
    """Writes every stack's Terraform JSON, unless the program has already run with the same files.

    Raises UsageError, with the program's own message, if the settings are invalid, and OpsError if
    it fails otherwise; the previous files stay. The error of a traceback is its exception; a log
    has the rest.
    """
    # Without the stacks beside it, the program may read files that are not known here.
    ours = (checkout.program.parent / "stacks").is_dir()
    stamp = checkout.state / "synthesis.sha256"
    # Taken before the program runs, since it may miss what changes meanwhile.
    read = _digest(_read(checkout))
    if ours and stamp.exists() and stamp.read_text() == f"{read} {_digest(_written(checkout))}":
        for manifest in checkout.synthesized.glob("manifest.json"):
            manifest.touch()  # make and the doctor compare times
        return
    command = (
        sys.executable,
        "-O",
        str(checkout.program),
        "--environments",
        str(checkout.environments),
        "--outdir",
        str(checkout.synthesized),
    )
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=SOURCE)
    if done.returncode:
        if _TRACEBACK in done.stderr:
            raise OpsError(_failure(done.stderr, checkout.state / "logs" / "synthesis.log"))
        text = (done.stderr.strip() or done.stdout.strip() or "it said nothing")[-4000:]
        raise (UsageError if done.returncode == UsageError.status else OpsError)(text)
    sys.stderr.write(done.stderr)  # warnings
    if ours:
        stamp.parent.mkdir(parents=True, exist_ok=True)
        stamp.write_text(f"{read} {_digest(_written(checkout))}")


def _digest(files: Iterable[Path]) -> str:
    """Returns a digest of files with their paths, and of the Python version."""
    digest = hashlib.sha256(sys.version.encode())
    for file in files:
        digest.update(f"\0{file}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _read(checkout: Checkout) -> Iterator[Path]:
    """Yields the files that the program reads."""
    code = checkout.program.parent
    yield checkout.program
    for pattern in ("stacks/**/*.py", "webapp/**/*.py", "requirements/*.txt"):
        yield from sorted(code.glob(pattern))
    yield from sorted(filter(Path.is_file, checkout.environments.rglob("*")))


def _written(checkout: Checkout) -> list[Path]:
    """Returns the files that the program has written."""
    return sorted(filter(Path.is_file, checkout.synthesized.rglob("*")))


def _failure(errors: str, log: Path) -> str:
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(errors)
    lines = errors.rpartition(_TRACEBACK)[2].splitlines()
    exception = next((line for line in lines if line and not line[0].isspace()), "it was cut short")
    return f"The synthesis failed: {exception}\nLog: {log}"
