"""The tables of the status page in `environments/*.toml`: the rows of what it shows, and the page itself."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from stacks.values import IN_URL, Table, text, unique

Words = Annotated[str, Field(min_length=1, max_length=80)]
HttpsUrl = Annotated[
    str,
    text(
        rf"https://(?=.{{1,2000}}$)(?!.*[;,@])[A-Za-z0-9][A-Za-z0-9.-]*(:\d{{1,5}})?([/?#](#|{IN_URL})*)?",
        'an address such as "https://www.example.com/logo.svg"',
    ),
]


class Row(Table):
    """`row` of a store: how the status page shows it."""

    title: Words | None = None
    """What people call it, by default its name and kind: "Orders queue"."""
    group: Words | None = None
    """Heading under which it is shown, by default "Services", "Jobs" or "Data"."""
    public: bool = True
    """Whether everybody sees it; if not, operators only."""


class ServiceRow(Row):
    """`[services.<name>.row]`"""

    slow_after: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """Milliseconds from which the answer of a web service is slow, which makes it degraded."""


class Link(Table):
    """`[[services.<name>.page.links]]`"""

    name: Words = Field(description="what the link says")
    url: HttpsUrl = Field(description="where it leads")


class Page(Table):
    """`[services.<name>.page]`: the page of a service with `kind = "status"`."""

    title: Words = "Status"
    """The page's title."""
    logo: HttpsUrl | None = None
    """Address of a picture that is shown beside the title."""
    links: Annotated[tuple[Link, ...], Field(strict=False, max_length=10)] = ()
    """Links at the foot of the page."""
    groups: Annotated[tuple[Words, ...], Field(strict=False), AfterValidator(unique)] = ()
    """Groups that come first, in this order; the others follow."""
    operator_view: Literal["on", "off"] = "on"
    """Whether there is a page for operators, who need the token."""
    failure_threshold: Annotated[int, Field(ge=1, le=10)] = 2
    """Failed checks in a row until something counts as failed."""
