"""What scanners found wrong with the resources of a plan; it is no part of a verdict."""

from dataclasses import dataclass
from enum import IntEnum


class Severity(IntEnum):
    """How grave a finding is in the scanner's words, the gravest first: severities, or levels of SARIF."""

    CRITICAL = 0
    HIGH = 1
    ERROR = 2
    MEDIUM = 3
    WARNING = 4
    LOW = 5
    NOTE = 6
    NONE = 7
    """The scanner does not say."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a scanner found wrong with a resource. `link` is an https address of the rule, or empty."""

    rule: str
    severity: Severity
    title: str
    link: str


@dataclass(frozen=True, slots=True)
class Scanned:
    """How many findings there are: beside what the plans create or change, on other resources, on none."""

    shown: int
    elsewhere: int
    unplaced: int
