"""Runs the program, which writes the Terraform JSON."""

import subprocess
import sys

from ops.checkout import SOURCE, Checkout
from ops.errors import OpsError, UsageError


def synthesize(checkout: Checkout) -> None:
    """Write every stack's Terraform JSON anew.

    UsageError with the program's own words for settings that cannot be used, OpsError otherwise;
    the former files stay.
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
        text = (done.stderr.strip() or done.stdout.strip() or "it said nothing")[-4000:]
        raise (UsageError if done.returncode == UsageError.status else OpsError)(text)
