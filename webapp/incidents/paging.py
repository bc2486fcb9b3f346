"""Which incidents a query asks for: a page of a list."""

from typing import Annotated

from pydantic import Field

from webapp.cursors import Cursor, decoded, encoded, wrong_cursor
from webapp.incidents.models import ID_PATTERN, IncidentsQuery, Openness


class IncidentsCursor(Cursor):
    """Where a page of incidents begins: before the one with this id."""

    state: Openness | None
    before: Annotated[str, Field(pattern=ID_PATTERN)]


def position_of(query: IncidentsQuery) -> str | None:
    """The id that the page begins before; None for the first page.

    Raises `Refusal`, 400, when the cursor is of another list.
    """
    if query.cursor is None:
        return None
    cursor = decoded(query.cursor, IncidentsCursor)
    if cursor.state != query.state:
        raise wrong_cursor()
    return cursor.before


def cursor_before(identifier: str, query: IncidentsQuery) -> str:
    """The cursor of the page that has the incidents before the one with this id."""
    return encoded(IncidentsCursor(state=query.state, before=identifier))
