"""ASGI middleware around the app."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class StartupErrors:
    """ASGI middleware: reduces the traceback of a failed start to its error, which the server logs."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, _shortened(send) if scope["type"] == "lifespan" else send)


def _shortened(send: Send) -> Send:
    async def send_short(message: Message) -> None:
        if message["type"] == "lifespan.startup.failed":
            last_line = message["message"].strip().rpartition("\n")[2]
            message = {**message, "message": f"The app cannot start: {last_line}"}
        await send(message)

    return send_short
