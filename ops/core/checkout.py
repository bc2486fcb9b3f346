"""The directories that commands read from and write to."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

SOURCE: Final = Path(__file__).resolve().parents[2]
"""The directory of the project's code: `main.py`, `stacks/`, `webapp/` and this package."""


@dataclass(frozen=True)
class Checkout:
    """A directory with `environments/`, in which commands also write what they generate."""

    directory: Path

    @property
    def environments(self) -> Path:
        """Returns the directory of the settings files."""
        return self.directory / "environments"

    @property
    def program(self) -> Path:
        """Returns the program that synthesizes: `main.py` of the directory or else of the project."""
        own = self.directory / "main.py"
        return own if own.exists() else SOURCE / "main.py"

    @property
    def synthesized(self) -> Path:
        """Returns the directory of the Terraform JSON; each synthesis replaces all of it."""
        return self.directory / "cdktf.out"

    @property
    def state(self) -> Path:
        """Returns the directory of what outlives a synthesis: working directories, logs, the plugin cache."""
        return self.directory / ".oaktree"

    @property
    def local(self) -> Path:
        """Returns the directory of the embedded AWS, which `make down` removes."""
        return self.state / "local"

    @property
    def aws(self) -> Path:
        """Returns the directory of Terraform's working directories for AWS."""
        return self.state / "aws"

    def configuration(self, stack: str) -> Path:
        """Returns the path of a stack's synthesized Terraform JSON."""
        return self.synthesized / "stacks" / stack / "cdk.tf.json"
