{# Generated from contracts/shipments.yml by `reliability generate`: change that, not this (48fbcd7b64e8). #}
with valid as (
    select * from {{ ref('stg_shipments') }}
    where disposition = 'valid' and {{ is_affected(['shipment_event_id']) }}
),

-- Almost all keys come once; ranking only the others halves the time of a full build.
repeated as (
    select shipment_event_id from valid
    group by shipment_event_id
    having count(*) > 1
),

ranked as (
    select
        *,
        {{ deduplication_rank(['shipment_event_id']) }} as deduplication_rank
    from valid
    where shipment_event_id in (select repeated.shipment_event_id from repeated)
),

winners as (
    select
        *,
        1 as deduplication_rank
    from valid
    where shipment_event_id not in (select repeated.shipment_event_id from repeated)
    union all
    select * from ranked
    where deduplication_rank = 1
)

select
    shipment_event_id,
    shipment_id,
    order_id,
    carrier,
    status,
    weight_grams,
    ordered_at,
    promised_at,
    event_time,
    event_date,
    landing_date,
    batch_id,
    row_number
from winners
