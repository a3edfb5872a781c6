{# Why a row of orders is rejected; a row may have several reasons. #}
{% set rules = {
    'order_id_missing': "delivered.order_id is null",
    'customer_id_missing': "delivered.customer_id is null",
    'merchant_id_missing': "delivered.merchant_id is null",
    'product_id_missing': "delivered.product_id is null",
    'quantity_missing': "delivered.quantity is null",
    'amount_missing': "delivered.amount is null",
    'currency_missing': "delivered.currency is null",
    'channel_missing': "delivered.channel is null",
    'event_time_missing': "delivered.event_time is null",
    'customer_id_unknown_reference': "delivered.customer_id is not null and customers.customer_id is null",
    'merchant_id_unknown_reference': "delivered.merchant_id is not null and merchants.merchant_id is null",
    'product_id_unknown_reference': "delivered.product_id is not null and products.product_id is null",
    'quantity_out_of_range': "delivered.quantity not between 1 and 1000",
    'amount_out_of_range': "delivered.amount not between 0.01 and 100000",
    'currency_unknown_value': "delivered.currency not in ('EUR', 'USD', 'GBP', 'CHF', 'SEK', 'PLN')",
    'channel_unknown_value': "delivered.channel not in ('web', 'app', 'store')",
    'event_time_in_future': "delivered.event_time >= " ~ days_later("delivered.landing_date", 1),
} %}

with delivered as (
    select * from {{ read_bronze('orders') }}
where {{ in_window() }}
),

latest_attempts as (
    {{ latest_attempts('orders') }}
),

judged as (
    select
        delivered.*,
        cast(delivered.event_time as date) as event_date,
        {{ reject_reasons(rules) }} as reject_reasons
    from delivered
    left join {{ read_reference('customers') }} as customers on delivered.customer_id = customers.customer_id
    left join {{ read_reference('merchants') }} as merchants on delivered.merchant_id = merchants.merchant_id
    left join {{ read_reference('products') }} as products on delivered.product_id = products.product_id
)

select
    judged.order_id,
    judged.customer_id,
    judged.merchant_id,
    judged.product_id,
    judged.quantity,
    judged.amount,
    judged.currency,
    judged.channel,
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
