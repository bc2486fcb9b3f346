"""Numbers of a plan, which may be written as text, and the flag for one that is lowered."""

from review.flags.subject import Subject
from review.model import Concern, Flag, Tree


def number(value: Tree) -> float | None:
    """Returns a number, also from a text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


TITLES = {
    "cpu": "CPU lowered",
    "deployment_minimum_healthy_percent": "Fewer tasks while deploying",
    "memory": "Memory lowered",
    "memoryReservation": "Memory lowered",
    "memory_size": "Memory lowered",
}


def lowered(subject: Subject, path: tuple[str, ...], before: Tree, after: Tree) -> Flag:
    """Builds the flag for less memory, less CPU, or a lower limit."""
    title = TITLES.get(path[-1], "Limit lowered")
    reason = "What runs newly gets less than it had."
    return subject.flag(Concern.RUNTIME, title, reason, path, before, after)
