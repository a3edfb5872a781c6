"""What the four systems record on a landing day. Pure and vectorised: no loop over rows, no clock, no file.

They hang together: a payment belongs to an order of the same day, a shipment to a captured order of one or three days
before. Hours and weekdays have their season, customers and products are heavy-tailed, and one row in two hundred
carries an event time late on the evening before: late by nature, landed today.
"""

from collections.abc import Callable
from datetime import date, timedelta
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from reliability_platform.lab.simulation.columns import DAY_SECONDS, Ints, choice, decimal, timestamps
from reliability_platform.lab.simulation.reference import CURRENCIES, CUSTOMERS, PRODUCTS, products
from reliability_platform.lab.simulation.simulation import Simulation

Floats = npt.NDArray[np.float64]

ORDERS_SHARE = 0.12
"""Of all events of a day; payments and shipments follow from orders (1.07 and 1.9 per order), web events fill up."""
WEB_EVENTS_SHARE = 1 - ORDERS_SHARE * (1 + 1.07 + 1.9)
WEEKDAY_FACTORS = (0.98, 0.96, 0.97, 1.0, 1.08, 1.1, 0.94)
"""Monday to Sunday."""
MONTH_END_FACTOR = 1.06
DAY_NOISE = 0.03
SIZE_MARGIN = 1.04
"""Keeps a month at or above its nominal size whatever weekdays it begins and ends with."""
HOURS = np.array([2, 1, 1, 1, 1, 2, 4, 6, 8, 9, 9, 9, 10, 9, 9, 9, 9, 10, 12, 13, 12, 9, 6, 4], dtype=np.float64)
LATE_BY_NATURE = 0.005
LATE_SECONDS = 7_200
CHANNELS = ("web", "app", "store")
METHODS = ("card", "paypal", "transfer", "wallet")
PAYMENT_STATUSES = ("captured", "declined")
EVENT_TYPES = ("page_view", "product_view", "add_to_cart", "checkout", "purchase")
CARRIERS = ("dhl", "ups", "fedex", "postnord")
SHIPMENT_STATUSES = ("shipped", "delivered", "returned")
SEARCH_TERMS = (
    "shoes", "red lamp", "gift for mum", "usb cable 2m", "garden chair", "o'neill jacket",
    'tv 55\\" oled', "../../etc/passwd", "{{ config }}", "<script>alert(1)</script>", "=cmd|' /C calc'!A0",
    "line one\\nline two", "`rm -rf`", "| pipe | table |", "ключ", "鍵",
)  # fmt: skip
"""What people type into a search box, hostile strings among them, escaped as inside a JSON string. The first five are
common, the rest rare."""


def _size(simulation: Simulation, day: date) -> float:
    """Expected events of all sources on a day."""
    month_end = (day + timedelta(days=2)).month != day.month
    noise = 1 + DAY_NOISE * float(np.clip(simulation.generator("volume", day).standard_normal(), -2, 2))
    season = WEEKDAY_FACTORS[day.weekday()] * (MONTH_END_FACTOR if month_end else 1.0)
    return simulation.events_per_day * SIZE_MARGIN * season * noise


def _keys(day: date, count: int) -> Ints:
    """Keys unique over all days: the day, then a running number (up to 100 million a day)."""
    return day.toordinal() * np.int64(100_000_000) + np.arange(count, dtype=np.int64)


def _seconds(rng: np.random.Generator, count: int) -> Floats:
    """Times of day in seconds, sorted, by the season of hours; the late-by-nature ones are negative and come first."""
    hours = rng.choice(24, count, p=HOURS / HOURS.sum())
    seconds = hours * 3_600 + rng.random(count) * 3_599.9
    late = rng.random(count) < LATE_BY_NATURE
    seconds[late] = -rng.random(int(late.sum())) * LATE_SECONDS - 1
    return np.sort(seconds)


def _heavy_tailed(rng: np.random.Generator, count: int, keys: int) -> Ints:
    """Keys 1..`keys` of which few are popular: density falls as the inverse square root of the rank."""
    return (keys * rng.random(count) ** 2).astype(np.int64) + 1


class _Orders:
    """Orders of a day with what the other systems need to know of them."""

    def __init__(self, simulation: Simulation, day: date) -> None:
        rng = simulation.generator("orders", day)
        count = max(8, round(_size(simulation, day) * ORDERS_SHARE))
        catalogue = products(simulation)
        self.seconds = _seconds(rng, count)
        self.order_id = _keys(day, count)
        self.customer_id = _heavy_tailed(rng, count, CUSTOMERS)
        self.product_id = _heavy_tailed(rng, count, PRODUCTS)
        self.merchant_id = catalogue["merchant_id"].to_numpy()[self.product_id - 1]
        self.quantity = rng.geometric(0.6, count).clip(1, 9).astype(np.int32)
        price = (catalogue["list_price"].cast(pa.float64()).to_numpy()[self.product_id - 1] * 100).round()
        self.cents = (price * self.quantity * rng.choice([1.0, 0.9, 0.8], count, p=[0.7, 0.2, 0.1])).astype(np.int64)
        self.currency = rng.choice(len(CURRENCIES), count, p=[0.5, 0.18, 0.14, 0.06, 0.06, 0.06])
        self.channel = rng.choice(3, count, p=[0.55, 0.35, 0.10])
        self.first_declined = rng.random(count) < 0.08
        self.captured = ~self.first_declined | (rng.random(count) < 0.62)
        self.weight = rng.integers(50, 20_000, count).astype(np.int32)
        self.carrier = rng.choice(4, count, p=[0.4, 0.25, 0.2, 0.15])


@lru_cache(maxsize=6)
def _orders(simulation: Simulation, day: date) -> _Orders:
    return _Orders(simulation, day)


def orders(simulation: Simulation, day: date) -> pa.Table:
    """Grain: one order."""
    made = _orders(simulation, day)
    return pa.table(
        {
            "order_id": made.order_id,
            "customer_id": made.customer_id,
            "merchant_id": made.merchant_id,
            "product_id": made.product_id,
            "quantity": made.quantity,
            "amount": decimal(made.cents, 12, 2),
            "currency": choice(CURRENCIES, made.currency),
            "channel": choice(CHANNELS, made.channel),
            "event_time": timestamps(day, made.seconds),
        }
    )


def payments(simulation: Simulation, day: date) -> pa.Table:
    """Grain: one payment attempt; an order has one, or a declined one and then mostly a captured one."""
    made = _orders(simulation, day)
    rng = simulation.generator("payments", day)
    retried = np.flatnonzero(made.first_declined & made.captured)
    order = np.concatenate([np.arange(len(made.order_id)), retried])
    declined = np.concatenate([made.first_declined, np.zeros(len(retried), dtype=bool)])
    # A payment follows its order before the day is over (so that it lands on the same day).
    left = DAY_SECONDS - 1 - made.seconds[order]
    seconds = made.seconds[order] + np.minimum(left, 30 + rng.exponential(300, len(order)) + 600 * ~declined)
    by_time = np.lexsort((order, seconds))
    order, declined, seconds = order[by_time], declined[by_time], seconds[by_time]
    return pa.table(
        {
            "payment_id": _keys(day, len(order)),
            "order_id": made.order_id[order],
            "customer_id": made.customer_id[order],
            "method": choice(METHODS, rng.choice(4, len(order), p=[0.55, 0.25, 0.08, 0.12])),
            "status": choice(PAYMENT_STATUSES, declined.astype(np.int8)),
            "amount": decimal(made.cents[order], 12, 2),
            "currency": choice(CURRENCIES, made.currency[order]),
            "event_time": timestamps(day, seconds),
        }
    )


def web_events(simulation: Simulation, day: date) -> pa.Table:
    """Grain: one thing that a visitor did."""
    rng = simulation.generator("web_events", day)
    count = max(8, round(_size(simulation, day) * WEB_EVENTS_SHARE))
    seconds = _seconds(rng, count)
    kind = rng.choice(5, count, p=[0.46, 0.32, 0.12, 0.06, 0.04])
    about_product = kind > 0
    known = rng.random(count) < 0.6
    sessions = max(1, count // 6)
    session = np.minimum((np.arange(count) * sessions) // count + rng.integers(0, 30, count), sessions - 1)
    term = np.where(rng.random(count) < 0.97, rng.integers(0, 5, count), rng.integers(0, len(SEARCH_TERMS), count))
    device = rng.integers(0, 3, count)
    devices, terms = ("mobile", "desktop", "tablet"), SEARCH_TERMS
    payloads = [f'{{"device": "{one}", "search": "{two}"}}' for one in devices for two in terms]
    customer = _heavy_tailed(rng, count, CUSTOMERS)
    product = _heavy_tailed(rng, count, PRODUCTS)
    return pa.table(
        {
            "event_id": _keys(day, count),
            "session_id": day.toordinal() * np.int64(100_000_000) + session,
            "customer_id": pa.array(customer, mask=~known),
            "event_type": choice(EVENT_TYPES, kind),
            "product_id": pa.array(product, mask=~about_product),
            "payload": choice(payloads, device * len(terms) + term),
            "event_time": timestamps(day, seconds),
        }
    )


def shipments(simulation: Simulation, day: date) -> pa.Table:
    """Grain: one step of a shipment: shipped the day after the order, delivered or returned three days after."""
    rng = simulation.generator("shipments", day)
    steps = []
    for age in (1, 3):
        ordered_on = day - timedelta(days=age)
        made = _orders(simulation, ordered_on)
        paid = np.flatnonzero(made.captured)
        status = np.zeros(len(paid), dtype=np.int8) if age == 1 else 1 + (rng.random(len(paid)) < 0.03).astype(np.int8)
        ordered_at = made.seconds[paid] - age * DAY_SECONDS
        steps.append((made.order_id[paid], made.carrier[paid], made.weight[paid], status, ordered_at))
    order_id, carrier, weight, status, ordered_at = (np.concatenate(part) for part in zip(*steps, strict=True))
    seconds = rng.random(len(order_id)) * (DAY_SECONDS - 1)
    by_time = np.lexsort((order_id, seconds))
    # Promised within 80 hours of the order: some deliveries of the third day come too late.
    promised_at = ordered_at + 80 * 3_600
    return pa.table(
        {
            "shipment_event_id": _keys(day, len(order_id)),
            "shipment_id": order_id[by_time],
            "order_id": order_id[by_time],
            "carrier": choice(CARRIERS, carrier[by_time]),
            "status": choice(SHIPMENT_STATUSES, status[by_time]),
            "weight_grams": weight[by_time],
            "ordered_at": timestamps(day, ordered_at[by_time]),
            "promised_at": timestamps(day, promised_at[by_time]),
            "event_time": timestamps(day, seconds[by_time]),
        }
    )


EVENTS: dict[str, Callable[[Simulation, date], pa.Table]] = {
    "orders": orders,
    "payments": payments,
    "web_events": web_events,
    "shipments": shipments,
}


def events(simulation: Simulation, source: str, day: date) -> pa.Table:
    """All rows that `source` delivers on landing day `day`, by event time; the contract's columns."""
    return EVENTS[source](simulation, day)
