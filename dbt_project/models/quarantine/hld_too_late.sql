{{ config(materialized='view') }}

select
    'orders' as source,
    order_id as record_key,
    landing_date,
    event_date,
    batch_id,
    row_number,
    landed_at
from {{ ref('stg_orders') }}
where disposition = 'held_late'

union all

select
    'payments' as source,
    payment_id as record_key,
    landing_date,
    event_date,
    batch_id,
    row_number,
    landed_at
from {{ ref('stg_payments') }}
where disposition = 'held_late'

union all

select
    'web_events' as source,
    event_id as record_key,
    landing_date,
    event_date,
    batch_id,
    row_number,
    landed_at
from {{ ref('stg_web_events') }}
where disposition = 'held_late'

union all

select
    'shipments' as source,
    shipment_event_id as record_key,
    landing_date,
    event_date,
    batch_id,
    row_number,
    landed_at
from {{ ref('stg_shipments') }}
where disposition = 'held_late'
