"""The directories that commands read from and write to."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

SOURCE: Final = Path(__file__).resolve().parents[2]
"""Where the project's own code is: `main.py`, `stacks/`, `webapp/` and this package."""


@dataclass(frozen=True)
class Checkout:
    """A directory with `environments/`, to which what is generated is added."""

    directory: Path

    @property
    def environments(self) -> Path:
        """The settings files."""
        return self.directory / "environments"

    @property
    def program(self) -> Path:
        """What synthesizes: the directory's own `main.py` if it has one."""
        own = self.directory / "main.py"
        return own if own.exists() else SOURCE / "main.py"

    @property
    def synthesized(self) -> Path:
        """The Terraform JSON that synthesis writes; swapped as a whole each time."""
        return self.directory / "cdktf.out"

    @property
    def state(self) -> Path:
        """Everything that outlives a synthesis: working directories, logs, the plugin cache."""
        return self.directory / ".oaktree"

    @property
    def local(self) -> Path:
        """What belongs to the embedded AWS; `down` removes it."""
        return self.state / "local"

    @property
    def aws(self) -> Path:
        """Terraform's working directories for AWS."""
        return self.state / "aws"

    def configuration(self, stack: str) -> Path:
        """A stack's Terraform JSON as synthesized."""
        return self.synthesized / "stacks" / stack / "cdk.tf.json"
