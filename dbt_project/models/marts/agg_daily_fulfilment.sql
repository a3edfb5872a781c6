with shipments as (
    select * from {{ ref('int_shipments__deduplicated') }}
    where {{ in_touched_dates() }}
)

select
    event_date,
    carrier,
    count(*) filter (where status = 'shipped') as shipped,
    count(*) filter (where status = 'delivered') as delivered,
    count(*) filter (where status = 'delivered' and event_time <= promised_at) as delivered_on_time,
    count(*) filter (where status = 'returned') as returned
from shipments
group by event_date, carrier
