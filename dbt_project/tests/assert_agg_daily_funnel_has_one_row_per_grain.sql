-- A returned row is a grain of agg_daily_funnel that occurs more than once: its measures would be counted twice.
select
    event_date,
    count(*) as occurrences
from {{ ref('agg_daily_funnel') }}
where event_date in ({{ touched_dates(['orders', 'payments', 'web_events', 'shipments']) }})
group by event_date
having count(*) > 1
