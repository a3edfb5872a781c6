{# Generated from contracts/web_events.yml by `reliability generate`: change that, not this (bfab857bbe83). #}
with valid as (
    select * from {{ ref('stg_web_events') }}
    where disposition = 'valid' and {{ is_affected(['event_id']) }}
),

-- Almost all keys come once; ranking only the others halves the time of a full build.
repeated as (
    select event_id from valid
    group by event_id
    having count(*) > 1
),

ranked as (
    select
        *,
        {{ deduplication_rank(['event_id']) }} as deduplication_rank
    from valid
    where event_id in (select repeated.event_id from repeated)
),

winners as (
    select
        *,
        1 as deduplication_rank
    from valid
    where event_id not in (select repeated.event_id from repeated)
    union all
    select * from ranked
    where deduplication_rank = 1
)

select
    event_id,
    session_id,
    customer_id,
    event_type,
    product_id,
    payload,
    event_time,
    event_date,
    landing_date,
    batch_id,
    row_number
from winners
