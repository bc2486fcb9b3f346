"""Foreign text and figures, for people."""


def printable(text: str) -> str:
    """One line of a foreign text without what would steer a terminal."""
    return "".join(character if character.isprintable() else " " for character in text).strip()


def minutes(seconds: float) -> str:
    """A duration for a person."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds % 60 < 1 else f"{seconds // 60:.0f} min {seconds % 60:.0f} s"
