with rates as (
    select * from {{ ref('dim_currency_rates') }}
),

orders as (
    select
        orders.event_date,
        orders.customer_id,
        count(*) as orders,
        sum(cast(round(orders.amount * rates.rate_to_eur, 2) as decimal(18, 2))) as order_amount_eur
    from {{ ref('int_orders__deduplicated') }} as orders
    inner join rates on orders.currency = rates.currency and orders.event_date = rates.rate_date
    where {{ in_touched_dates() }}
    group by orders.event_date, orders.customer_id
),

payments as (
    select
        event_date,
        customer_id,
        count(*) filter (where status = 'captured') as payments_captured,
        count(*) filter (where status = 'declined') as payments_declined
    from {{ ref('int_payments__deduplicated') }}
    where {{ in_touched_dates() }}
    group by event_date, customer_id
),

web_events as (
    select
        event_date,
        customer_id,
        count(*) as web_events,
        count(distinct session_id) as sessions
    from {{ ref('int_web_events__deduplicated') }}
    where customer_id is not null and {{ in_touched_dates() }}
    group by event_date, customer_id
),

measures as (
    select
        event_date,
        customer_id,
        orders,
        order_amount_eur,
        0 as payments_captured,
        0 as payments_declined,
        0 as web_events,
        0 as sessions
    from orders
    union all
    select
        event_date,
        customer_id,
        0 as orders,
        0 as order_amount_eur,
        payments_captured,
        payments_declined,
        0 as web_events,
        0 as sessions
    from payments
    union all
    select
        event_date,
        customer_id,
        0 as orders,
        0 as order_amount_eur,
        0 as payments_captured,
        0 as payments_declined,
        web_events,
        sessions
    from web_events
)

select
    event_date,
    customer_id,
    cast(sum(orders) as bigint) as orders,
    cast(sum(order_amount_eur) as decimal(38, 2)) as order_amount_eur,
    cast(sum(payments_captured) as bigint) as payments_captured,
    cast(sum(payments_declined) as bigint) as payments_declined,
    cast(sum(web_events) as bigint) as web_events,
    cast(sum(sessions) as bigint) as sessions
from measures
group by event_date, customer_id
