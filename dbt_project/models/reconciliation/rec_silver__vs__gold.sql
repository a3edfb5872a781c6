{# Every measure of every mart, and what it must add up to over silver; both sides by event date. A share adds up to
   nothing: multiplied by its base it must give back the number that it is a share of. #}
{% set in_eur = "sum(cast(round(entries.amount * rates.rate_to_eur, 2) as decimal(18, 2)))" %}
{% set captured = "count(*) filter (where status = 'captured')" %}
{% set declined = "count(*) filter (where status = 'declined')" %}
{% set compared = [
    ('orders', 'agg_daily_revenue', [
        ('orders', 'count(*)'),
        ('units', 'sum(entries.quantity)'),
        ('gross_amount', 'sum(entries.amount)'),
        ('gross_amount_eur', in_eur),
    ]),
    ('orders', 'fct_customer_days', [
        ('orders', 'count(*)'),
        ('order_amount_eur', in_eur),
    ]),
    ('payments', 'agg_daily_payments', [
        ('attempts', 'count(*)'),
        ('captured', captured),
        ('declined', declined),
        ('captured_amount_eur', in_eur ~ " filter (where status = 'captured')"),
        ('success_share', captured, 'sum(round(success_share * attempts))'),
    ]),
    ('payments', 'fct_customer_days', [
        ('payments_captured', captured),
        ('payments_declined', declined),
    ]),
    ('web_events', 'agg_daily_funnel', [
        ('sessions', 'count(distinct entries.session_id)'),
        ('page_views', "count(*) filter (where event_type = 'page_view')"),
        ('product_views', "count(*) filter (where event_type = 'product_view')"),
        ('carts', "count(*) filter (where event_type = 'add_to_cart')"),
        ('checkouts', "count(*) filter (where event_type = 'checkout')"),
        ('purchases', "count(*) filter (where event_type = 'purchase')"),
    ]),
    ('web_events', 'fct_customer_days', [
        ('web_events', 'count(entries.customer_id)'),
        ('sessions', "count(distinct concat(entries.customer_id, '/', entries.session_id)) filter (where entries.customer_id is not null)"),
    ]),
    ('shipments', 'agg_daily_fulfilment', [
        ('shipped', "count(*) filter (where status = 'shipped')"),
        ('delivered', "count(*) filter (where status = 'delivered')"),
        ('delivered_on_time', "count(*) filter (where status = 'delivered' and event_time <= promised_at)"),
        ('returned', "count(*) filter (where status = 'returned')"),
    ]),
] %}

with
{% for source_name, mart, measures in compared %}
{{ source_name }}_in_{{ mart }} as (
    select
        coalesce(silver.event_date, gold.event_date) as event_date
        {%- for measure in measures %},
        coalesce(silver.{{ measure[0] }}, 0) as silver_{{ measure[0] }},
        coalesce(gold.{{ measure[0] }}, 0) as gold_{{ measure[0] }}
        {%- endfor %}
    from (
        select
            entries.event_date
            {%- for measure in measures %},
            cast({{ measure[1] }} as decimal(38, 2)) as {{ measure[0] }}
            {%- endfor %}
        from {{ ref('int_' ~ source_name ~ '__deduplicated') }} as entries
        {%- if source_name in ('orders', 'payments') %}
        left join {{ ref('dim_currency_rates') }} as rates
            on entries.currency = rates.currency and entries.event_date = rates.rate_date
        {%- endif %}
        group by entries.event_date
    ) as silver
    full outer join (
        select
            event_date
            {%- for measure in measures %},
            cast({{ measure[2] or 'sum(' ~ measure[0] ~ ')' }} as decimal(38, 2)) as {{ measure[0] }}
            {%- endfor %}
        from {{ ref(mart) }}
        group by event_date
    ) as gold on silver.event_date = gold.event_date
),
{% endfor %}

compared as (
    {%- for source_name, mart, measures in compared %}
    {%- set last_mart = loop.last %}
    {%- for measure in measures %}
    select
        '{{ source_name }}' as source,
        '{{ mart }}' as table_name,
        '{{ measure[0] }}' as measure,
        event_date,
        silver_{{ measure[0] }} as silver_value,
        gold_{{ measure[0] }} as gold_value
    from {{ source_name }}_in_{{ mart }}
    {{ 'union all' if not (last_mart and loop.last) }}
    {%- endfor %}
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
