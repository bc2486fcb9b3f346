"""Reading docker/Dockerfile."""

import re

from tests.places import ROOT


def instructions() -> list[tuple[str, str]]:
    """Each instruction of the Dockerfile with its arguments, in order and on one line."""
    text = (ROOT / "docker/Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(name, arguments) for name, _, arguments in (line.partition(" ") for line in joined.splitlines())]


def final_stage() -> list[tuple[str, str]]:
    """The instructions of the stage that becomes the image."""
    stages = [index for index, (name, _) in enumerate(instructions()) if name == "FROM"]
    return instructions()[stages[-1] :]


def only(name: str) -> str:
    """The arguments of an instruction that stands once in the final stage."""
    found = [arguments for instruction, arguments in final_stage() if instruction == name]
    assert len(found) == 1, f"{name}: {found}"
    return found[0]
