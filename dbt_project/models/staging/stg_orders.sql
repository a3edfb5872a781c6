{# Generated from contracts/orders.yml by `reliability generate`: change that, not this (c4b20a8871c3). #}
with delivered as (
    select * from {{ read_corrected('orders') }}
    where {{ in_window() }}
),

latest_attempts as (
    {{ latest_attempts('orders') }}
),

discards as (
    {{ discards('orders') }}
),

customers as (
    select * from {{ read_reference('customers') }}
),

merchants as (
    select * from {{ read_reference('merchants') }}
),

products as (
    select * from {{ read_reference('products') }}
),

-- Each delivered row with what is known of its batch. A moment that no date holds is null: a cast would end the build.
live as (
    select
        {{ all_but('delivered', 'orders', ['event_time']) }},
        delivered.event_time as delivered_event_time,
        {{ possible_moment('delivered.event_time') }} as event_time,
        delivered._batch_attempt < coalesce(latest_attempts.attempt, delivered._batch_attempt) as is_superseded,
        coalesce(latest_attempts.late_accepted, false) as late_accepted,
        discards.discarded_reasons
    from delivered
    left join latest_attempts
        on
            delivered.landing_date = latest_attempts.landing_date
            and delivered._batch_sequence = latest_attempts.batch_sequence
    left join discards
        on delivered.landing_date = discards.landing_date and delivered._batch_id = discards.batch_id
),

conflicts as (
    {{ conflicting_rows('orders') }}
),

judged as (
    select
        live.*,
        cast(live.event_time as date) as event_date,
        {{ reject_reasons({
            'order_id_missing': "live.order_id is null",
            'customer_id_missing': "live.customer_id is null",
            'merchant_id_missing': "live.merchant_id is null",
            'product_id_missing': "live.product_id is null",
            'quantity_missing': "live.quantity is null",
            'quantity_out_of_range': "live.quantity not between 1 and 1000",
            'amount_missing': "live.amount is null",
            'amount_out_of_range': "live.amount not between 0.01 and 100000",
            'currency_missing': "live.currency is null",
            'currency_unknown_value': "live.currency not in ('EUR', 'USD', 'GBP', 'CHF', 'SEK', 'PLN')",
            'channel_missing': "live.channel is null",
            'channel_unknown_value': "live.channel not in ('web', 'app', 'store')",
            'event_time_missing': "live.delivered_event_time is null",
            'event_time_impossible': is_impossible('live.delivered_event_time'),
            'customer_id_unknown_reference': "live.customer_id is not null and customers.customer_id is null",
            'merchant_id_unknown_reference': "live.merchant_id is not null and merchants.merchant_id is null",
            'product_id_unknown_reference': "live.product_id is not null and products.product_id is null",
            'event_time_in_future': is_in_future('live.event_time'),
            'key_conflict': "conflicts._row_number is not null",
        }) }} as reject_reasons
    from live
    left join conflicts
        on
            live.landing_date = conflicts.landing_date
            and live._batch_id = conflicts._batch_id
            and live._row_number = conflicts._row_number
    left join customers on live.customer_id = customers.customer_id
    left join merchants on live.merchant_id = merchants.merchant_id
    left join products on live.product_id = products.product_id
)

select
    order_id,
    customer_id,
    merchant_id,
    product_id,
    quantity,
    amount,
    currency,
    channel,
    event_time,
    _rescued as rescued,
    event_date,
    landing_date,
    _batch_id as batch_id,
    _batch_sequence as batch_sequence,
    _batch_attempt as batch_attempt,
    _row_number as row_number,
    _landed_at as landed_at,
    reject_reasons,
    is_superseded,
    {{ disposition() }} as disposition
from judged
