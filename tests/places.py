"""Where things are that tests read."""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
"""The checkout under test."""

ENVIRONMENTS: Final = Path(__file__).parent / "environments"
"""The settings that tests use. `environments/` at the root belongs to the user, and no test reads it but
the one that synthesizes whatever is there."""
