"""Which columns hold personal data: by their names, and by what e-mail addresses, telephone and card numbers look like."""

from collections.abc import Sequence

import duckdb

BY_NAME = (
    "email", "mail", "phone", "mobile", "fax", "ssn", "passport", "iban", "card", "birth", "dob", "surname", "firstname",
    "lastname", "fullname", "street", "address", "ip", "customer", "patient", "passenger", "person", "user", "member", "employee",
)  # fmt: skip
"""Words of a name."""
BY_CONTENT = {
    "e-mail addresses": r"^[^@\s]+@[^@\s]+\.[A-Za-z]{2,}$",
    "telephone numbers": r"^(\+|00)[1-9][\d ()/.-]{7,18}$|^\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4}$",
    "IBANs": r"^[A-Z]{2}\d{2}[A-Z0-9]{11,30}$",
}
CARD = r"^(\d[ -]?){13,19}$"
SHARE = 0.8
"""Of the values of a column that must look so."""
VALUES = 2_000


def personal_data(
    connection: duckdb.DuckDBPyConnection, texts: Sequence[str], others: Sequence[str]
) -> dict[str, tuple[str, bool]]:
    """Why a column holds personal data, and whether its content says so. `others` are the columns that are no text."""
    found = {name: (f"its name says {word}", False) for name in (*texts, *others) if (word := _word(name)) is not None}
    for name in texts:
        digits = "regexp_replace(v, '[^0-9]', '', 'g')"
        doubled = f"list_transform(range(1, len({digits}) + 1), lambda i: cast(reverse({digits})[i] as int) * (1 + (i + 1) % 2))"
        luhn = f"list_sum(list_transform({doubled}, lambda d: if(d > 9, d - 9, d))) % 10 = 0"
        terms = [f"avg(cast(regexp_matches(v, '{pattern}') as int))" for pattern in BY_CONTENT.values()]
        terms.append(f"avg(cast(case when regexp_matches(v, '{CARD}') then {luhn} else false end as int))")
        row = connection.execute(
            f'select {", ".join(terms)} from (select distinct "{name}" as v from sample where "{name}" is not null limit {VALUES})'
        ).fetchall()[0]
        for what, share in zip((*BY_CONTENT, "card numbers"), row, strict=True):
            if share is not None and share >= SHARE:
                found[name] = f"{share:.0%} of its values look like {what}", True
    return found


def _word(name: str) -> str | None:
    words = name.lower().split("_")
    return next((word for word in BY_NAME if word in words), None)
