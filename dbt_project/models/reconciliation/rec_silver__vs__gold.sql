{# Which measure of gold is made from which sum over silver; both sides by event date. #}
{% set measures = [
    ('orders', 'agg_daily_revenue', 'orders', 'count(*)'),
    ('orders', 'agg_daily_revenue', 'gross_amount', 'sum(amount)'),
    ('orders', 'fct_customer_days', 'orders', 'count(*)'),
    ('payments', 'agg_daily_payments', 'attempts', 'count(*)'),
    ('payments', 'agg_daily_payments', 'captured', "count(*) filter (where status = 'captured')"),
    ('payments', 'fct_customer_days', 'payments_captured', "count(*) filter (where status = 'captured')"),
    ('web_events', 'agg_daily_funnel', 'page_views', "count(*) filter (where event_type = 'page_view')"),
    ('web_events', 'agg_daily_funnel', 'purchases', "count(*) filter (where event_type = 'purchase')"),
    ('web_events', 'fct_customer_days', 'web_events', 'count(customer_id)'),
    ('shipments', 'agg_daily_fulfilment', 'shipped', "count(*) filter (where status = 'shipped')"),
    ('shipments', 'agg_daily_fulfilment', 'delivered', "count(*) filter (where status = 'delivered')"),
] %}

with compared as (
    {%- for source_name, mart, measure, silver_measure in measures %}
    select
        '{{ source_name }}' as source,
        '{{ mart }}' as table_name,
        '{{ measure }}' as measure,
        coalesce(silver.event_date, gold.event_date) as event_date,
        coalesce(silver.total, 0) as silver_value,
        coalesce(gold.total, 0) as gold_value
    from (
        select event_date, cast({{ silver_measure }} as decimal(38, 2)) as total
        from {{ ref('int_' ~ source_name ~ '__deduplicated') }}
        group by event_date
    ) as silver
    full outer join (
        select event_date, cast(sum({{ measure }}) as decimal(38, 2)) as total
        from {{ ref(mart) }}
        group by event_date
    ) as gold on silver.event_date = gold.event_date
    {{ 'union all' if not loop.last }}
    {%- endfor %}
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
