"""Expressions of GitHub Actions, evaluated by GitHub's own library.

Source: GitHub Docs, "Evaluate expressions in workflows and actions".
"""

import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
NODE = ROOT / ".venv/bin/node"
PROGRAM = Path(__file__).with_suffix(".mjs")

Contexts = Mapping[str, Any]
"""What expressions may name: `github`, `inputs`, `needs`, `steps`, `vars`, `job`; its `status` is `success`
or `failure`."""

_EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_STATUS = re.compile(r"\b(success|failure|cancelled|always)\s*\(")


def holds(condition: object, contexts: Contexts) -> bool:
    """Whether an `if:` holds; one that names no status holds only while nothing has failed."""
    text = str(condition).strip()
    if whole := _EXPRESSION.fullmatch(text):
        text = whole[1]
    if not _STATUS.search(text):
        text = f"success() && ({text})"
    return _evaluated([f"!!({text})"], contexts) == ["true"]


def filled(values: Mapping[str, object], contexts: Contexts) -> dict[str, str]:
    """Values, such as those of `env:` or `with:`, as text in which each expression is its value."""
    texts = {name: _text(value) for name, value in values.items()}
    asked = list(dict.fromkeys(found for text in texts.values() for found in _EXPRESSION.findall(text)))
    answers = dict(zip(asked, _evaluated(asked, contexts), strict=True))
    return {name: _EXPRESSION.sub(lambda match: answers[match[1]], text) for name, text in texts.items()}


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _evaluated(expressions: list[str], contexts: Contexts) -> list[str]:
    if not expressions:
        return []
    done = subprocess.run(
        [NODE, PROGRAM],
        input=json.dumps({"contexts": contexts, "expressions": expressions}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (expressions, done.stderr)
    answers: list[str] = json.loads(done.stdout)
    return answers
