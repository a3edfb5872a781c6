-- A returned row is a grain of agg_daily_fulfilment that occurs more than once: its measures would be counted twice.
select
    event_date,
    carrier,
    count(*) as occurrences
from {{ ref('agg_daily_fulfilment') }}
where event_date in ({{ touched_dates(['orders', 'payments', 'web_events', 'shipments']) }})
group by event_date, carrier
having count(*) > 1
