"""Runs the program, which writes the Terraform JSON."""

import subprocess
import sys
from pathlib import Path
from typing import Final

from ops.checkout import SOURCE, Checkout
from ops.errors import OpsError, UsageError

_TRACEBACK: Final = "Traceback (most recent call last):\n"


def synthesize(checkout: Checkout) -> None:
    """Write every stack's Terraform JSON anew.

    UsageError with the program's own words for settings that cannot be used, OpsError otherwise;
    the former files stay. Of a traceback, the exception is told and the whole kept in a log.
    """
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
            raise OpsError(_told(done.stderr, checkout.state / "logs" / "synthesis.log"))
        text = (done.stderr.strip() or done.stdout.strip() or "it said nothing")[-4000:]
        raise (UsageError if done.returncode == UsageError.status else OpsError)(text)


def _told(errors: str, log: Path) -> str:
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(errors)
    lines = errors.rpartition(_TRACEBACK)[2].splitlines()
    exception = next((line for line in lines if line and not line[0].isspace()), "it was cut short")
    return f"The synthesis failed: {exception}\nLog: {log}"
