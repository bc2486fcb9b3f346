"""Bare Starlette routes on the app's server: `python -m benchmarks.web.bare PORT BYTES`.

`/healthz` answers what the app answers; `/bytes` as many bytes of JSON as the app's status document has.
"""

import sys

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route


def main() -> None:
    """Serves until it is ended."""
    port, size = (int(argument) for argument in sys.argv[1:])
    document = b'"' + b"a" * (size - 2) + b'"'

    async def health(_request: Request) -> JSONResponse:
        return JSONResponse({"alive": True})

    async def some_bytes(_request: Request) -> Response:
        return Response(document, media_type="application/json")

    uvicorn.run(
        Starlette(routes=[Route("/healthz", health), Route("/bytes", some_bytes)]),
        host="127.0.0.1",
        port=port,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
    )


if __name__ == "__main__":
    main()
