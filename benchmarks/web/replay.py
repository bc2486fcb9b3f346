"""A fast stand-in for AWS: `python -m benchmarks.web.replay PORT ENDPOINT`.

It asks the embedded AWS at the endpoint each question once and gives the same answer from then on.
The embedded AWS answers some hundred requests a second, so every program that waits for it is as
fast as every other.
"""

import sys
from typing import Final

import httpx
import uvicorn
from starlette.types import Message, Receive, Scope, Send

WRITES: Final = (b"TransactWriteItems", b"PutItem", b"UpdateItem")
NOT_PASSED_ON: Final = {b"content-length", b"connection", b"transfer-encoding", b"host", b"date"}

Reply = tuple[int, list[tuple[bytes, bytes]], bytes]


class Replay:
    """An ASGI application that remembers answers by path, operation and body."""

    def __init__(self, endpoint: str) -> None:
        self._client = httpx.AsyncClient(base_url=endpoint, timeout=30)
        self._answers: dict[tuple[str, bytes, bytes], Reply] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        body = await _body(receive)
        headers = dict(scope["headers"])
        operation = headers.get(b"x-amz-target", b"")
        key = (scope["path"], operation, body)
        answer = self._answers.get(key)
        if answer is None:
            answer = await self._ask(scope, headers, body)
            if not operation.endswith(WRITES):
                self._answers[key] = answer
        status, answer_headers, content = answer
        await send({"type": "http.response.start", "status": status, "headers": answer_headers})
        await send({"type": "http.response.body", "body": content})

    async def _ask(self, scope: Scope, headers: dict[bytes, bytes], body: bytes) -> Reply:
        own = [(name, value) for name, value in headers.items() if name not in NOT_PASSED_ON]
        answer = await self._client.request(scope["method"], scope["path"], headers=own, content=body)
        kept = [(name.lower(), value) for name, value in answer.headers.raw]
        kept = [(name, value) for name, value in kept if name not in NOT_PASSED_ON]
        length = (b"content-length", str(len(answer.content)).encode())
        return answer.status_code, [*kept, length], answer.content


async def _body(receive: Receive) -> bytes:
    body = b""
    more = True
    while more:
        message: Message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


if __name__ == "__main__":
    uvicorn.run(
        Replay(sys.argv[2]),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        lifespan="off",
        access_log=False,
        log_level="warning",
    )
