with payments as (
    select * from {{ ref('int_payments__deduplicated') }}
),

orders as (
    select * from {{ ref('int_orders__deduplicated') }}
),

-- Delivered, and in quarantine or held: known, and counted elsewhere.
rejected_or_held as (
    select distinct order_id from {{ ref('stg_orders') }}
    where disposition in ('rejected', 'discarded', 'held_late')
)

select
    payments.landing_date,
    count(*) as payments,
    count(*) filter (where orders.order_id is null and rejected_or_held.order_id is null) as payments_without_order,
    count(*) filter (
        where orders.amount <> payments.amount or orders.currency <> payments.currency
    ) as payments_of_another_amount
from payments
left join orders on payments.order_id = orders.order_id
left join rejected_or_held on payments.order_id = rejected_or_held.order_id
group by payments.landing_date
