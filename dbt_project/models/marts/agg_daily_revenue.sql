with orders as (
    select * from {{ ref('int_orders__deduplicated') }}
    where {{ in_touched_dates() }}
),

merchants as (
    select * from {{ ref('dim_merchants') }}
),

rates as (
    select * from {{ ref('dim_currency_rates') }}
)

select
    orders.event_date,
    orders.currency,
    merchants.category as merchant_category,
    count(*) as orders,
    cast(sum(orders.quantity) as bigint) as units,
    cast(sum(orders.amount) as decimal(38, 2)) as gross_amount,
    -- Rounded per order, as an invoice would be; a sum of rounded amounts is exact in any order.
    cast(sum(cast(round(orders.amount * rates.rate_to_eur, 2) as decimal(18, 2))) as decimal(38, 2)) as gross_amount_eur
from orders
inner join merchants on orders.merchant_id = merchants.merchant_id
inner join rates on orders.currency = rates.currency and orders.event_date = rates.rate_date
group by orders.event_date, orders.currency, merchants.category
