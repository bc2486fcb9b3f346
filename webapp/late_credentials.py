"""Credentials that are looked for when a call is signed, not when a client is made.

botocore looks for them when it makes a client, so an app whose credentials' endpoint is away could
not start. Source of that endpoint: AWS SDKs and Tools Reference Guide, "Container credential provider".
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from aiobotocore.session import AioSession
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import CredentialRetrievalError

DEADLINE: Final = 1.5
"""Seconds to find or renew credentials: less than a call may take, so that it fails for what is wrong."""


class _Credentials(Protocol):
    async def get_frozen_credentials(self) -> ReadOnlyCredentials: ...


class _Resolver(Protocol):
    async def load_credentials(self) -> _Credentials | None: ...


class LateCredentials:
    """Stands for the credentials that a resolver finds, once it finds them; until then it is asked again.

    It has what aiobotocore asks of credentials: they are the only ones of a session, so what waits for
    them waits for one look.
    """

    method: Final = "late"

    def __init__(self, resolver: _Resolver) -> None:
        self._resolver = resolver
        self._found: _Credentials | None = None
        self._looking = asyncio.Lock()

    async def get_frozen_credentials(self) -> ReadOnlyCredentials | None:
        """What signs a call, None when nothing has credentials. Raises `CredentialRetrievalError`."""
        try:
            async with asyncio.timeout(DEADLINE):
                found = await self._find()
                return await found.get_frozen_credentials() if found else None
        except TimeoutError:
            raise CredentialRetrievalError(provider=self.method, error_msg="no answer in time") from None

    async def get_account_id(self) -> str | None:
        """The account that the credentials are of, as far as they tell."""
        frozen = await self.get_frozen_credentials()
        return frozen.account_id if frozen else None

    def get_deferred_property(self, _name: str) -> Callable[[], Awaitable[str | None]]:
        """How to ask for a property later; the account is the one that botocore asks for."""
        return self.get_account_id

    async def _find(self) -> _Credentials | None:
        if self._found is None:
            async with self._looking:
                if self._found is None:
                    self._found = await self._resolver.load_credentials()
        return self._found


class _LateResolver:
    def __init__(self, resolver: _Resolver) -> None:
        self._credentials = LateCredentials(resolver)

    async def load_credentials(self) -> LateCredentials:
        return self._credentials


def look_late(session: AioSession) -> None:
    """Has the session look for credentials when they are first needed."""
    resolver: _Resolver = session.get_component("credential_provider")
    session.register_component("credential_provider", _LateResolver(resolver))
