"""Read the environments, build the stacks, synthesize Terraform JSON.

    .venv/bin/python -O main.py [--environments DIRECTORY] [--outdir DIRECTORY]

Without `-O`, jsii checks the type of every argument: for a construct that is being written. Exit
status 2 when the settings cannot be used, or ask for more than AWS allows; what was synthesized before
is then untouched. What settings give up is printed to stderr as a warning.
"""

import argparse
import os
import sys
from pathlib import Path

from stacks.problems import QuotaError, SettingsError, UnknownBindingsError
from stacks.reading import read_platform
from stacks.rules import warnings

# Relative, as a person would name it in this directory.
ENVIRONMENTS = Path(os.path.relpath(Path(__file__).parent / "environments"))


def main() -> int:
    """Run the program; returns its exit status."""
    parser = argparse.ArgumentParser(description="Write the platform as Terraform JSON.")
    parser.add_argument("--environments", type=Path, default=ENVIRONMENTS)
    # `cdktf synth` says where by this variable.
    parser.add_argument("--outdir", type=Path, default=Path(os.environ.get("CDKTF_OUTDIR", "cdktf.out")))
    arguments = parser.parse_args()
    try:
        platform = read_platform(arguments.environments)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    for warning in warnings(platform):
        print(f"Warning: {arguments.environments}/{warning}", file=sys.stderr)
    try:
        # The bindings take a second to load: not for settings that cannot be used.
        from stacks.synthesis import synthesize

        synthesize(platform, arguments.outdir)
    except QuotaError as error:
        print(error, file=sys.stderr)
        return 2
    except (UnknownBindingsError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
