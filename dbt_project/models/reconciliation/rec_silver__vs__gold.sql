{# Generated from contracts/*.yml by `reliability generate`: change that, not this (790a1c0f8792). #}
with shipments_for_agg_daily_fulfilment as (
    select
        event_date,
        count(*) filter (where status = 'shipped') as shipped,
        count(*) filter (where status = 'delivered') as delivered,
        count(*) filter (where status = 'delivered' and event_time <= promised_at) as delivered_on_time,
        count(*) filter (where status = 'returned') as returned
    from {{ ref('int_shipments__deduplicated') }}
    group by event_date
),

web_events_for_agg_daily_funnel as (
    select
        event_date,
        count(distinct session_id) as sessions,
        count(*) filter (where event_type = 'page_view') as page_views,
        count(*) filter (where event_type = 'product_view') as product_views,
        count(*) filter (where event_type = 'add_to_cart') as carts,
        count(*) filter (where event_type = 'checkout') as checkouts,
        count(*) filter (where event_type = 'purchase') as purchases
    from {{ ref('int_web_events__deduplicated') }}
    group by event_date
),

payments_for_agg_daily_payments as (
    select
        event_date,
        count(*) as attempts,
        count(*) filter (where status = 'captured') as captured,
        count(*) filter (where status = 'declined') as declined,
        count(*) filter (where status = 'captured') as success_share
    from {{ ref('int_payments__deduplicated') }}
    group by event_date
),

payments_for_agg_daily_payments_2 as (
    select
        silver.event_date,
        sum(cast(round(silver.amount * dim_currency_rates.rate_to_eur, 2) as decimal(18, 2)))
        filter (where silver.status = 'captured') as captured_amount_eur
    from {{ ref('int_payments__deduplicated') }} as silver
    left join {{ ref('dim_currency_rates') }} as dim_currency_rates
        on silver.currency = dim_currency_rates.currency and silver.event_date = dim_currency_rates.rate_date
    group by silver.event_date
),

orders_for_agg_daily_revenue as (
    select
        event_date,
        count(*) as orders,
        sum(quantity) as units,
        sum(amount) as gross_amount
    from {{ ref('int_orders__deduplicated') }}
    group by event_date
),

orders_for_agg_daily_revenue_2 as (
    select
        silver.event_date,
        sum(cast(round(silver.amount * dim_currency_rates.rate_to_eur, 2) as decimal(18, 2))) as gross_amount_eur
    from {{ ref('int_orders__deduplicated') }} as silver
    left join {{ ref('dim_currency_rates') }} as dim_currency_rates
        on silver.currency = dim_currency_rates.currency and silver.event_date = dim_currency_rates.rate_date
    group by silver.event_date
),

orders_for_fct_customer_days as (
    select
        event_date,
        count(*) as orders
    from {{ ref('int_orders__deduplicated') }}
    group by event_date
),

orders_for_fct_customer_days_2 as (
    select
        silver.event_date,
        sum(cast(round(silver.amount * dim_currency_rates.rate_to_eur, 2) as decimal(18, 2))) as order_amount_eur
    from {{ ref('int_orders__deduplicated') }} as silver
    left join {{ ref('dim_currency_rates') }} as dim_currency_rates
        on silver.currency = dim_currency_rates.currency and silver.event_date = dim_currency_rates.rate_date
    group by silver.event_date
),

payments_for_fct_customer_days as (
    select
        event_date,
        count(*) filter (where status = 'captured') as payments_captured,
        count(*) filter (where status = 'declined') as payments_declined
    from {{ ref('int_payments__deduplicated') }}
    group by event_date
),

web_events_for_fct_customer_days as (
    select
        event_date,
        count(customer_id) as web_events,
        count(distinct concat(customer_id, '/', session_id)) filter (where customer_id is not null) as sessions
    from {{ ref('int_web_events__deduplicated') }}
    group by event_date
),

sums_of_agg_daily_fulfilment as (
    select
        event_date,
        sum(shipped) as shipped,
        sum(delivered) as delivered,
        sum(delivered_on_time) as delivered_on_time,
        sum(returned) as returned
    from {{ ref('agg_daily_fulfilment') }}
    group by event_date
),

sums_of_agg_daily_funnel as (
    select
        event_date,
        sum(sessions) as sessions,
        sum(page_views) as page_views,
        sum(product_views) as product_views,
        sum(carts) as carts,
        sum(checkouts) as checkouts,
        sum(purchases) as purchases
    from {{ ref('agg_daily_funnel') }}
    group by event_date
),

sums_of_agg_daily_payments as (
    select
        event_date,
        sum(attempts) as attempts,
        sum(captured) as captured,
        sum(declined) as declined,
        sum(captured_amount_eur) as captured_amount_eur,
        sum(round(success_share * attempts)) as success_share
    from {{ ref('agg_daily_payments') }}
    group by event_date
),

sums_of_agg_daily_revenue as (
    select
        event_date,
        sum(orders) as orders,
        sum(units) as units,
        sum(gross_amount) as gross_amount,
        sum(gross_amount_eur) as gross_amount_eur
    from {{ ref('agg_daily_revenue') }}
    group by event_date
),

sums_of_fct_customer_days as (
    select
        event_date,
        sum(orders) as orders,
        sum(order_amount_eur) as order_amount_eur,
        sum(payments_captured) as payments_captured,
        sum(payments_declined) as payments_declined,
        sum(web_events) as web_events,
        sum(sessions) as sessions
    from {{ ref('fct_customer_days') }}
    group by event_date
),

compared as (
    {{ differences(
        'shipments', 'agg_daily_fulfilment', 'shipments_for_agg_daily_fulfilment', 'sums_of_agg_daily_fulfilment',
        ['shipped', 'delivered', 'delivered_on_time', 'returned']
    ) }}
    union all
    {{ differences(
        'web_events', 'agg_daily_funnel', 'web_events_for_agg_daily_funnel', 'sums_of_agg_daily_funnel',
        ['sessions', 'page_views', 'product_views', 'carts', 'checkouts', 'purchases']
    ) }}
    union all
    {{ differences(
        'payments', 'agg_daily_payments', 'payments_for_agg_daily_payments', 'sums_of_agg_daily_payments',
        ['attempts', 'captured', 'declined', 'success_share']
    ) }}
    union all
    {{ differences(
        'payments', 'agg_daily_payments', 'payments_for_agg_daily_payments_2', 'sums_of_agg_daily_payments',
        ['captured_amount_eur']
    ) }}
    union all
    {{ differences(
        'orders', 'agg_daily_revenue', 'orders_for_agg_daily_revenue', 'sums_of_agg_daily_revenue',
        ['orders', 'units', 'gross_amount']
    ) }}
    union all
    {{ differences(
        'orders', 'agg_daily_revenue', 'orders_for_agg_daily_revenue_2', 'sums_of_agg_daily_revenue',
        ['gross_amount_eur']
    ) }}
    union all
    {{ differences(
        'orders', 'fct_customer_days', 'orders_for_fct_customer_days', 'sums_of_fct_customer_days',
        ['orders']
    ) }}
    union all
    {{ differences(
        'orders', 'fct_customer_days', 'orders_for_fct_customer_days_2', 'sums_of_fct_customer_days',
        ['order_amount_eur']
    ) }}
    union all
    {{ differences(
        'payments', 'fct_customer_days', 'payments_for_fct_customer_days', 'sums_of_fct_customer_days',
        ['payments_captured', 'payments_declined']
    ) }}
    union all
    {{ differences(
        'web_events', 'fct_customer_days', 'web_events_for_fct_customer_days', 'sums_of_fct_customer_days',
        ['web_events', 'sessions']
    ) }}
)

select
    source,
    table_name,
    measure,
    event_date,
    silver_value,
    gold_value,
    gold_value - silver_value as difference
from compared
