"""What an app that `up` started says of the platform."""

from typing import Any

import httpx

from tests.webapp.waiting import soon


def operational_status(address: str) -> dict[str, Any]:
    """The status document, once everything was checked; fails unless all of it is operational."""

    def told() -> dict[str, Any]:
        document: dict[str, Any] = httpx.get(f"{address}/api/status").json()
        return document

    status = soon(told, lambda document: document["checked_at"] is not None)
    states = {name: (item["state"], item["message"]) for name, item in status["components"].items()}
    assert {state for state, _ in states.values()} == {"operational"}, states
    assert status["state"] == "operational"
    return status
