-- A returned row is a grain of agg_daily_revenue that occurs more than once: its measures would be counted twice.
select
    event_date,
    currency,
    merchant_category,
    count(*) as occurrences
from {{ ref('agg_daily_revenue') }}
where event_date in ({{ touched_dates(['orders', 'payments', 'web_events', 'shipments']) }})
group by event_date, currency, merchant_category
having count(*) > 1
