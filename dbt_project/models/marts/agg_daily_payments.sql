with payments as (
    select * from {{ ref('int_payments__deduplicated') }}
    where {{ in_touched_dates() }}
),

rates as (
    select * from {{ ref('dim_currency_rates') }}
)

select
    payments.event_date,
    payments.method,
    count(*) as attempts,
    count(*) filter (where payments.status = 'captured') as captured,
    count(*) filter (where payments.status = 'declined') as declined,
    cast(
        coalesce(
            sum(cast(round(payments.amount * rates.rate_to_eur, 2) as decimal(18, 2)))
            filter (where payments.status = 'captured'), 0
        ) as decimal(38, 2)
    ) as captured_amount_eur,
    cast(round(count(*) filter (where payments.status = 'captured') * 1.000000 / count(*), 6) as decimal(9, 6))
        as success_share
from payments
inner join rates on payments.currency = rates.currency and payments.event_date = rates.rate_date
group by payments.event_date, payments.method
