{{ config(materialized='view') }}

{% set keys = {'orders': 'order_id', 'payments': 'payment_id', 'web_events': 'event_id', 'shipments': 'shipment_event_id'} %}

{%- for source_name, key in keys.items() %}
select
    '{{ source_name }}' as source,
    {{ key }} as record_key,
    landing_date,
    event_date,
    batch_id,
    row_number,
    landed_at
from {{ ref('stg_' ~ source_name) }}
where disposition = 'held_late'
{{ 'union all' if not loop.last }}
{%- endfor %}
