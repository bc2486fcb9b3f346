"""Finds plans in the bytes of a file, whatever surrounds them."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from review.reading.formats import SHOW, is_versioned
from review.reading.secret_detection import redact

START: Final = re.compile(r'\{(?=\s*(?:["}]|\Z))|(?m:^|(?<=\}))\{(?=[ \t\r]*\n)')
"""Where an object may begin; HCL and log lines have braces as well, but seldom these."""

PLAN_START: Final = re.compile(
    r'\{\s*"(?:format_version|terraform_version|resource_changes|planned_values'
    r'|action_invocations|applyable|checks|complete|configuration)"'
)
"""How a plan begins as Terraform writes it, or with its keys sorted."""

OF_A_PLAN: Final = re.compile(r'"(?:format_version|resource_changes)"')
LOG_START: Final = re.compile(r'\{\s*"@')
NEXT_LINE: Final = re.compile(r"\n[ \t]*(?=\{)")
BINARY: Final = {
    b"PK\x03\x04": f"is a plan in Terraform's binary form; {SHOW}",
    b"\x1f\x8b": "is compressed with gzip; decompress it first",
}
CUT_OFF: Final = re.compile(
    r"(?:tr?u?|fa?l?s?|nu?l?|-|\.|[eE][+-]?|\\?u[0-9A-Fa-f]{0,3}|\\|[0-9A-Fa-f]{0,3})[ \t\r]*\Z"
)
"""What is left of a line after the error when a document was cut off: nothing, or a part of a value."""

KEY: Final = 80
"""Characters of a key that are shown."""

FAILURES: Final = 200
"""Objects that cannot be read before only plans are looked for, and plans before a file is given up. Each
failure costs a look at all of the text before it, so without an end to them this would be quadratic."""


@dataclass(frozen=True, slots=True)
class JsonDocument:
    """A JSON object with the SHA-256 of its bytes, or why it cannot be read; and its place in the text."""

    content: dict[str, Any] | None
    sha256: str = ""
    problem: str | None = None
    start: int = 0
    end: int = 0


def documents_in(raw: bytes) -> tuple[list[JsonDocument], tuple[str, ...]]:
    """Returns the documents in a file, at least one, and notes on what else is in it.

    Takes time proportional to the size. An unreadable document has a problem; the others are still read.
    """
    if reason := _not_text(raw):
        return [JsonDocument(None, problem=reason)], ()
    try:
        text = raw.decode(_encoding(raw))
    except UnicodeDecodeError as error:
        encoding = "UTF-16" if error.encoding.startswith("utf-16") else "UTF-8"
        return [JsonDocument(None, problem=f"is not {encoding} text: byte {error.start + 1} is wrong")], ()
    documents = list(_documents(text))
    # Beside plans, other objects are noise, such as the lines of a log; without any, one speaks for all.
    plans = [each for each in documents if each.content is None or is_versioned(each.content)]
    if plans:
        return plans, tuple(_notes(text, plans))
    return documents[:1] or [JsonDocument(None, problem=_no_document(text))], ()


def _not_text(raw: bytes) -> str | None:
    if not raw.strip():
        return f"is empty; {SHOW}"
    for magic, reason in BINARY.items():
        if raw.startswith(magic):
            return reason
    return None


def _encoding(raw: bytes) -> str:
    """Returns the encoding of text: UTF-16, as Windows PowerShell's redirection writes it, or UTF-8."""
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if b"\x00" in raw[:2]:
        return "utf-16-be" if raw[:1] == b"\x00" else "utf-16-le"
    return "utf-8-sig"


def _documents(text: str) -> Iterator[JsonDocument]:
    position = behind = 0
    noise: list[JsonDocument] = []
    broken = found = 0
    cut = False
    repeated: list[str] = []
    decoder = _decoder(repeated)
    while broken < FAILURES and (match := _start(len(noise)).search(text, position)):
        start = match.start()
        is_cut = False
        try:
            repeated.clear()
            content, position = decoder.raw_decode(text, start)
        except json.JSONDecodeError as error:
            # It was JSON up to here, so the search continues behind it; an open string goes to the end.
            is_open = error.msg.startswith("Unterminated string")
            position = len(text) if is_open else max(start + 1, error.pos)
            ends = _cut_at(text, error)
            is_cut = ends is not None and (
                ends == len(text)
                or _begins_line(text, start, behind)
                or OF_A_PLAN.search(text, start, ends) is not None
            )
            problem = _broken(text, start, error, is_cut=is_cut)
        except RecursionError:
            position = _next_line(text, start)
            problem = "is nested too deep to be a plan"
        except ValueError as error:
            position = _next_line(text, start)
            problem = f"is not JSON: {error}"
        else:
            found += 1
            behind = position
            sha256 = hashlib.sha256(text[start:position].encode("utf-8")).hexdigest()
            if repeated and is_versioned(content):
                key = redact(repeated[0])[:KEY]
                problem = f"has the key {key!r} twice in one object, so one hides the other; {SHOW}"
                yield JsonDocument(None, problem=problem, start=start, end=position)
            else:
                yield JsonDocument(content, sha256, start=start, end=position)
            continue
        document = JsonDocument(None, problem=problem, start=start, end=position)
        # Of the objects that no plan begins with, the first that is cut off speaks for all.
        if PLAN_START.match(text, start):
            broken += 1
            yield document
        elif is_cut and not cut and not LOG_START.match(text, start):
            cut = True
            yield document
        else:
            noise.append(document)
    if noise and not found and not broken and not cut:
        yield noise[0]


def _start(failures: int) -> re.Pattern[str]:
    return START if failures < FAILURES else PLAN_START


def _cut_at(text: str, error: json.JSONDecodeError) -> int | None:
    """Returns the end of the line, or of the text, at which a document was cut off; None if it was not."""
    if error.msg.startswith("Unterminated string"):
        return len(text)
    end = text.find("\n", error.pos)
    end = len(text) if end < 0 else end
    if CUT_OFF.match(text[error.pos : min(end, error.pos + 20)]):
        return len(text) if not text[end : end + 40].strip() else end
    before = text[max(0, error.pos - 200) : error.pos]
    blank = before[len(before.rstrip()) :]
    return error.pos - len(blank) if "\n" in blank else None


def _begins_line(text: str, start: int, behind: int) -> bool:
    """Returns whether an object begins its line, or stands right behind a document that ends at `behind`."""
    return not text[max(behind, text.rfind("\n", 0, start) + 1) : start].strip()


def _broken(text: str, start: int, error: json.JSONDecodeError, *, is_cut: bool) -> str:
    place = f"line {error.lineno}, column {error.colno}"
    if is_cut:
        first = text.count("\n", 0, start) + 1
        return f"is cut off: the JSON that begins on line {first} has no end ({place})"
    return f"is not JSON: {error.msg} ({place})"


def _next_line(text: str, start: int) -> int:
    match = NEXT_LINE.search(text, start)
    return match.end() if match else len(text)


def _no_document(text: str) -> str:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return f"holds no JSON object; {SHOW}"
    return f"is JSON, but not a Terraform plan; {SHOW}"


def _notes(text: str, documents: list[JsonDocument]) -> Iterator[str]:
    """Yields how much stands around the documents. Not what: it may be anything."""
    position = 0
    for number, document in enumerate(documents, start=1):
        if noise := text[position : document.start].strip():
            where = "the plan" if number == 1 else f"plan {number}"
            yield f"skipped {len(noise.encode())} bytes before {where}"
        position = document.end
    if noise := text[position:].strip():
        yield f"skipped {len(noise.encode())} bytes after the plan"


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a JSON number")


def _decoder(repeated: list[str]) -> json.JSONDecoder:
    """Returns a decoder that adds each key that an object has twice to `repeated`; Terraform writes none."""

    def content_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        content = dict(pairs)
        if len(content) != len(pairs):
            repeated.extend(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        return content

    return json.JSONDecoder(object_pairs_hook=content_of, parse_constant=_refuse)
