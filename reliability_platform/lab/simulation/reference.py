"""Reference data: what events refer to. A pure function of the seed; delivered whole."""

from collections.abc import Mapping
from datetime import date, timedelta
from functools import lru_cache
from types import MappingProxyType

import numpy as np
import pyarrow as pa

from reliability_platform.atomic import parquet_bytes
from reliability_platform.lab.simulation.columns import choice, decimal
from reliability_platform.lab.simulation.simulation import Simulation

CUSTOMERS = 20_000
MERCHANTS = 200
PRODUCTS = 2_000
COUNTRIES = ("DE", "FR", "GB", "CH", "SE", "PL", "NL", "ES")
SEGMENTS = ("consumer", "business", "premium")
CATEGORIES = ("books", "electronics", "fashion", "garden", "groceries", "home", "sports", "toys")
CURRENCIES = ("EUR", "USD", "GBP", "CHF", "SEK", "PLN")
RATES_TO_EUR = (1.0, 0.92, 1.17, 1.05, 0.088, 0.235)
"""Long-run rates, rounded from 2025; the daily ones wander around them."""
RATES_FROM, RATES_UNTIL = date(2025, 1, 1), date(2028, 12, 31)


@lru_cache(maxsize=4)
def customers(simulation: Simulation) -> pa.Table:
    """Grain: one customer."""
    rng = simulation.generator("customers")
    signup = np.datetime64("2020-01-01") + rng.integers(0, 1_800, CUSTOMERS)
    return pa.table(
        {
            "customer_id": np.arange(1, CUSTOMERS + 1, dtype=np.int64),
            "country": choice(COUNTRIES, rng.integers(0, len(COUNTRIES), CUSTOMERS)),
            "segment": choice(SEGMENTS, rng.choice(3, CUSTOMERS, p=[0.8, 0.15, 0.05])),
            "signup_date": pa.array(signup.astype("datetime64[D]")),
        }
    )


@lru_cache(maxsize=4)
def merchants(simulation: Simulation) -> pa.Table:
    """Grain: one merchant."""
    rng = simulation.generator("merchants")
    return pa.table(
        {
            "merchant_id": np.arange(1, MERCHANTS + 1, dtype=np.int64),
            "category": choice(CATEGORIES, rng.integers(0, len(CATEGORIES), MERCHANTS)),
            "country": choice(COUNTRIES, rng.integers(0, len(COUNTRIES), MERCHANTS)),
        }
    )


@lru_cache(maxsize=4)
def products(simulation: Simulation) -> pa.Table:
    """Grain: one product, sold by one merchant."""
    rng = simulation.generator("products")
    cents = np.clip(rng.lognormal(7.6, 1.0, PRODUCTS), 99, 400_000).astype(np.int64)
    return pa.table(
        {
            "product_id": np.arange(1, PRODUCTS + 1, dtype=np.int64),
            "merchant_id": rng.integers(1, MERCHANTS + 1, PRODUCTS),
            "category": choice(CATEGORIES, rng.integers(0, len(CATEGORIES), PRODUCTS)),
            "list_price": decimal(cents, 12, 2),
        }
    )


@lru_cache(maxsize=4)
def currency_rates(simulation: Simulation) -> pa.Table:
    """Grain: one currency on one day; `rate_to_eur` units of EUR per unit of the currency."""
    rng = simulation.generator("currency_rates")
    count = (RATES_UNTIL - RATES_FROM).days + 1
    dates = np.array([RATES_FROM + timedelta(days=offset) for offset in range(count)], dtype="datetime64[D]")
    wander = np.exp(np.cumsum(rng.normal(0, 0.002, (len(CURRENCIES), count)), axis=1))
    wander[0] = 1.0  # EUR is the unit
    scaled = np.rint(np.array(RATES_TO_EUR)[:, None] * wander * 1e8).astype(np.int64)
    return pa.table(
        {
            "currency": choice(CURRENCIES, np.repeat(np.arange(len(CURRENCIES)), count)),
            "rate_date": pa.array(np.tile(dates, len(CURRENCIES))),
            "rate_to_eur": decimal(scaled.ravel(), 18, 8),
        }
    )


@lru_cache(maxsize=4)
def reference_files(simulation: Simulation) -> Mapping[str, bytes]:
    """The Parquet file of each reference table. The same simulation gives the same bytes."""
    tables = {
        "customers": customers(simulation),
        "merchants": merchants(simulation),
        "products": products(simulation),
        "currency_rates": currency_rates(simulation),
    }
    return MappingProxyType({name: parquet_bytes(table) for name, table in tables.items()})
