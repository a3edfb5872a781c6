-- A returned row is a grain of fct_customer_days that occurs more than once: its measures would be counted twice.
select
    event_date,
    customer_id,
    count(*) as occurrences
from {{ ref('fct_customer_days') }}
where event_date in ({{ touched_dates(['orders', 'payments', 'web_events', 'shipments']) }})
group by event_date, customer_id
having count(*) > 1
