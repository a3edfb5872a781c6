with web_events as (
    select * from {{ ref('int_web_events__deduplicated') }}
    where {{ in_touched_dates() }}
)

select
    event_date,
    count(distinct session_id) as sessions,
    count(*) filter (where event_type = 'page_view') as page_views,
    count(*) filter (where event_type = 'product_view') as product_views,
    count(*) filter (where event_type = 'add_to_cart') as carts,
    count(*) filter (where event_type = 'checkout') as checkouts,
    count(*) filter (where event_type = 'purchase') as purchases
from web_events
group by event_date
