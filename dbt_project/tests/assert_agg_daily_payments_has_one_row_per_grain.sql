-- A returned row is a grain of agg_daily_payments that occurs more than once: its measures would be counted twice.
select
    event_date,
    method,
    count(*) as occurrences
from {{ ref('agg_daily_payments') }}
where event_date in ({{ touched_dates(['orders', 'payments', 'web_events', 'shipments']) }})
group by event_date, method
having count(*) > 1
