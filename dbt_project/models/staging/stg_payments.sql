{# Why a row of payments is rejected; a row may have several reasons. #}
{% set rules = {
    'payment_id_missing': "delivered.payment_id is null",
    'order_id_missing': "delivered.order_id is null",
    'customer_id_missing': "delivered.customer_id is null",
    'method_missing': "delivered.method is null",
    'status_missing': "delivered.status is null",
    'amount_missing': "delivered.amount is null",
    'currency_missing': "delivered.currency is null",
    'event_time_missing': "delivered.event_time is null",
    'customer_id_unknown_reference': "delivered.customer_id is not null and customers.customer_id is null",
    'amount_out_of_range': "delivered.amount not between 0.01 and 100000",
    'currency_unknown_value': "delivered.currency not in ('EUR', 'USD', 'GBP', 'CHF', 'SEK', 'PLN')",
    'method_unknown_value': "delivered.method not in ('card', 'paypal', 'transfer', 'wallet')",
    'status_unknown_value': "delivered.status not in ('captured', 'declined')",
    'event_time_in_future': "delivered.event_time >= " ~ days_later("delivered.landing_date", 1),
} %}

with delivered as (
    select * from {{ read_bronze('payments') }}
where {{ in_window() }}
),

latest_attempts as (
    {{ latest_attempts('payments') }}
),

judged as (
    select
        delivered.*,
        cast(delivered.event_time as date) as event_date,
        {{ reject_reasons(rules) }} as reject_reasons
    from delivered
    left join {{ read_reference('customers') }} as customers on delivered.customer_id = customers.customer_id
)

select
    judged.payment_id,
    judged.order_id,
    judged.customer_id,
    judged.method,
    judged.status,
    judged.amount,
    judged.currency,
    judged.event_time,
    judged._rescued as rescued,
    judged.event_date,
    judged.landing_date,
    judged._batch_id as batch_id,
    judged._batch_sequence as batch_sequence,
    judged._batch_attempt as batch_attempt,
    judged._row_number as row_number,
    judged._landed_at as landed_at,
    judged.reject_reasons,
    judged._batch_attempt < coalesce(latest_attempts.attempt, judged._batch_attempt) as is_superseded,
    {{ disposition() }} as disposition
from judged
left join latest_attempts
    on judged.landing_date = latest_attempts.landing_date and judged._batch_sequence = latest_attempts.batch_sequence
