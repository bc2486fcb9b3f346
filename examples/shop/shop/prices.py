"""The client of the prices service."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

import httpx


@dataclass(frozen=True)
class Price:
    """A price in the smallest unit of its currency."""

    cents: int
    currency: str

    def __str__(self) -> str:
        return f"{self.cents // 100}.{self.cents % 100:02d} {self.currency}"


class PricesError(Exception):
    """The prices service does not answer, or not with a price."""


class Prices:
    """Asks the prices service; keeps its connections until `close`."""

    def __init__(self, address: str, timeout: float = 2) -> None:
        """`timeout` is in seconds."""
        self._client = httpx.AsyncClient(base_url=address, timeout=timeout)

    async def price(self, product: str) -> Price:
        """Returns a product's price; raises PricesError."""
        try:
            answer = await self._client.get(f"/prices/{product}")
            answer.raise_for_status()
            match answer.json():
                case {"cents": int(cents), "currency": str(currency)}:
                    return Price(cents, currency)
        except (httpx.HTTPError, ValueError, RecursionError) as error:
            raise PricesError(f"no price of {product}: {str(error) or type(error).__name__}") from error
        raise PricesError(f"no price of {product}: the answer has no cents and currency")

    async def all(self, products: Iterable[str]) -> dict[str, Price | PricesError]:
        """Returns the price of each product, or why there is none; asks for all of them at once."""
        asked = list(products)
        answers = await asyncio.gather(*(self._price_or_error(product) for product in asked))
        return dict(zip(asked, answers, strict=True))

    async def _price_or_error(self, product: str) -> Price | PricesError:
        try:
            return await self.price(product)
        except PricesError as error:
            return error

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.aclose()
