{# Why a row of shipments is rejected; a row may have several reasons. #}
{% set rules = {
    'shipment_event_id_missing': "delivered.shipment_event_id is null",
    'shipment_id_missing': "delivered.shipment_id is null",
    'order_id_missing': "delivered.order_id is null",
    'carrier_missing': "delivered.carrier is null",
    'status_missing': "delivered.status is null",
    'weight_grams_missing': "delivered.weight_grams is null",
    'ordered_at_missing': "delivered.ordered_at is null",
    'promised_at_missing': "delivered.promised_at is null",
    'event_time_missing': "delivered.event_time is null",
    'carrier_unknown_value': "delivered.carrier not in ('dhl', 'ups', 'fedex', 'postnord')",
    'status_unknown_value': "delivered.status not in ('shipped', 'delivered', 'returned')",
    'weight_grams_out_of_range': "delivered.weight_grams not between 1 and 100000",
    'event_time_in_future': "delivered.event_time >= " ~ days_later("delivered.landing_date", 1),
} %}

with delivered as (
    select * from {{ read_bronze('shipments') }}
where {{ in_window() }}
),

latest_attempts as (
    {{ latest_attempts('shipments') }}
),

judged as (
    select
        delivered.*,
        cast(delivered.event_time as date) as event_date,
        {{ reject_reasons(rules) }} as reject_reasons
    from delivered
)

select
    judged.shipment_event_id,
    judged.shipment_id,
    judged.order_id,
    judged.carrier,
    judged.status,
    judged.weight_grams,
    judged.ordered_at,
    judged.promised_at,
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
