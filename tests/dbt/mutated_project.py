"""A small dbt project of somebody else, with a hole of each kind in its tests."""

from pathlib import Path

FILES = {
    "dbt_project.yml": """
name: bakery
profile: bakery
models:
  bakery:
    +materialized: table
""",
    "profiles.yml": """
bakery:
  target: dev
  outputs:
    dev: {type: duckdb, path: bakery.duckdb, threads: 4}
""",
    "seeds/raw_orders.csv": "id,customer_id,ordered_on,amount,note\n"
    + "".join(f"{n},{n % 7 + 1},2026-01-{n % 28 + 1:02d},{n * 1.25},note {n}\n" for n in range(1, 61)),
    "seeds/raw_customers.csv": "id,tier\n" + "".join(f"{n},{'gold' if n % 3 else 'silver'}\n" for n in range(1, 9)),
    "models/stg_orders.sql": """{{ config(materialized='view') }}
select id as order_id, customer_id, ordered_on, amount from {{ ref('raw_orders') }}""",
    "models/orders.sql": """{{ config(materialized='incremental', unique_key='order_id') }}
select * from {{ ref('stg_orders') }}
{% if is_incremental() %} where ordered_on >= (select max(ordered_on) from {{ this }}) {% endif %}""",
    "models/revenue.sql": """select c.tier, sum(o.amount) as revenue, count(*) as orders
from {{ ref('orders') }} as o join {{ ref('raw_customers') }} as c on o.customer_id = c.id group by c.tier""",
    "models/contracted.sql": """{{ config(contract={'enforced': true}) }}
select order_id, amount from {{ ref('orders') }}""",
    # A row of more than 70,000 makes it count to 10^12: no build ends in the time given.
    "models/slow.sql": """select order_id, (select count(*) from range(steps) as a, range(steps) as b) as pairs
from (select order_id, case when amount > 70000 then 1000000 else 1 end as steps from {{ ref('orders') }})""",
    "data/fees.csv": "fee_id,fee\n" + "".join(f"{n},{n / 10}\n" for n in range(1, 31)),
    "models/fees.sql": """{{ config(materialized='view') }} select * from {{ source('bank', 'fees') }}""",
    "models/rates.sql": """select count(*) as rates from read_csv('data/fees.csv')
where (select count(*) from read_csv('data/fees.csv', all_varchar = true)) > 0""",
    "models/schema.yml": """
sources:
  - name: bank
    meta: {external_location: "read_csv('data/{name}.csv', header = true)"}
    tables: [{name: fees}]
models:
  - name: stg_orders
    columns:
      - {name: order_id, data_tests: [unique, not_null]}
  - name: orders
    columns:
      - name: customer_id
        data_tests:
          - relationships: {arguments: {to: ref('raw_customers'), field: id}, config: {severity: warn}}
  - name: contracted
    columns:
      - {name: order_id, data_type: integer, constraints: [{type: not_null}]}
      - {name: amount, data_type: double}
exposures:
  - name: finance_dashboard
    label: Finance dashboard
    type: dashboard
    owner: {name: Finance, email: finance@example.com}
    depends_on: [ref('revenue'), ref('contracted'), ref('fees'), ref('rates')]
""",
    "tests/assert_never_passes.sql": "select 1 as wrong from {{ ref('orders') }} limit 1",
}


def write_project(folder: Path) -> Path:
    """The project in a folder of its own."""
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder
