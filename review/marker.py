"""The hidden first line of a comment, by which it is found again."""

import re
from dataclasses import dataclass, field

KEY = "oaktree"
"""The key of a pull request's comment, unless there are several."""
DRIFT_KEY = "oaktree-drift"
"""The key of the issue about drift, unless there are several."""

SAFE_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""What a key or a commit may be: nothing that could end an HTML comment or break a line."""

_LINE = re.compile(
    r"<!-- oaktree-review key=(?P<key>[A-Za-z0-9._-]{1,64})"
    r" commit=(?P<commit>[A-Za-z0-9._-]{1,64}) run=(?P<run>[0-9]{1,20})(?P<rest>(?: [^<>]*)?) -->"
)
_REST = re.compile(r"(?: points=(?P<points>\S+))?(?: since=(?P<since>[\w.-]+):(?P<earlier>\S+))?", re.ASCII)
MOST = 2_000
"""Characters of the points of one review in a marker."""
_NO_COMMIT = "none"


@dataclass(frozen=True, slots=True)
class Marker:
    """Which comment this is (`key`), of which commit, made by which run (0 outside of a pipeline).

    `points` are those of the review, as `review.rendering.history` writes them, `since` and `earlier` the
    commit and the points of the review that it is compared with; "" if they are not known. They tell no
    two comments apart.

    `commit` is empty when it is not known. Raises ValueError for a key or commit with other than
    letters, digits, dots, dashes and underscores, and for a negative run.
    """

    key: str
    commit: str
    run: int
    points: str = field(default="", compare=False)
    since: str = field(default="", compare=False)
    earlier: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if not SAFE_KEY.fullmatch(self.key):
            raise ValueError("a comment's key has letters, digits, '.', '_' and '-' only, 64 at most")
        if self.commit and (self.commit == _NO_COMMIT or not SAFE_KEY.fullmatch(self.commit)):
            raise ValueError("a commit has letters, digits, '.', '_' and '-' only, 64 at most")
        if not 0 <= self.run < 10**20:
            raise ValueError("a run's number has 20 digits at most and is not negative")

    def line(self) -> str:
        """Returns the line, an HTML comment, without its line break."""
        commit = self.commit or _NO_COMMIT
        rest = f" points={self.points}" if self.points else ""
        rest += f" since={self.since}:{self.earlier}" if self.since and self.earlier else ""
        return f"<!-- oaktree-review key={self.key} commit={commit} run={self.run}{rest} -->"


def parse(body: str) -> Marker | None:
    """Reads the marker from a comment's first line; None if there is none.

    Only the first line counts, so a comment that quotes another is not mistaken for it.
    """
    found = _LINE.fullmatch(body.split("\n", 1)[0].rstrip("\r"))
    if found is None or not SAFE_KEY.fullmatch(found["key"]):
        return None
    commit = "" if found["commit"] == _NO_COMMIT else found["commit"]
    if commit and not SAFE_KEY.fullmatch(commit):
        return None
    rest = _REST.fullmatch(found["rest"])
    told = {key: value for key, value in rest.groupdict("").items() if len(value) <= MOST} if rest else {}
    return Marker(found["key"], commit, int(found["run"]), **told)
