"""The page: products with their prices, a form, and the latest orders."""

from collections.abc import Mapping, Sequence
from html import escape

from shop.catalogue import PRODUCTS
from shop.orders import MOST, Order
from shop.prices import Price


def page(prices: Mapping[str, Price | None], orders: Sequence[Order] | None) -> str:
    """Returns the page as HTML; None stands for a price, or for orders, that cannot be had now."""
    products = "".join(
        f"<tr><td>{escape(PRODUCTS[product])}<td>{escape(str(price or 'price not available'))}"
        for product, price in prices.items()
    )
    options = "".join(f'<option value="{product}">{escape(name)}' for product, name in PRODUCTS.items())
    return (
        '<!doctype html><html lang="en"><title>Shop</title><h1>Shop</h1>'
        f"<table><tr><th>Product<th>Price{products}</table>"
        '<form method="post" action="/orders">'
        f'<label>Product <select name="product">{options}</select></label> '
        f'<label>Quantity <input name="quantity" type="number" min="1" max="{MOST}" value="1"></label> '
        "<button>Order</button></form>"
        f"<h2>Orders</h2>{_orders(orders)}\n"
    )


def _orders(orders: Sequence[Order] | None) -> str:
    if orders is None:
        return "<p>Orders cannot be shown or taken at the moment."
    rows = "".join(
        f'<tr><td><a href="/orders/{order.id}">{order.placed_at:%Y-%m-%d %H:%M}</a>'
        f"<td>{escape(PRODUCTS.get(order.product, order.product))}<td>{order.quantity}<td>{order.state}"
        for order in orders
    )
    return f"<table><tr><th>Placed (UTC)<th>Product<th>Quantity<th>State{rows}</table>"
