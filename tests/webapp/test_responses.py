"""The answer when a call to AWS fails says whether to retry, and when."""

import pytest

from tests.webapp.environment import environ_of
from tests.webapp.faults import answering, aws_error
from tests.webapp.processes import running_app
from webapp.endpoints.incidents import INCIDENTS_PATH


@pytest.mark.parametrize(
    ("code", "status", "seconds"),
    [
        ("ResourceNotFoundException", 503, "10"),
        ("ThrottlingException", 503, "2"),
        ("AccessDeniedException", 500, None),
    ],
)
def test_a_failed_call_is_a_problem_that_says_when_to_try_again(
    code: str, status: int, seconds: str | None
) -> None:
    with answering(400, aws_error(code)) as server, running_app(environ_of(server.url)) as app:
        answer = app.client.get(INCIDENTS_PATH)
    assert (answer.status_code, answer.headers.get("retry-after")) == (status, seconds)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status
