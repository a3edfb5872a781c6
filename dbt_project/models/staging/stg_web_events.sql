{# Why a row of web_events is rejected; a row may have several reasons. #}
{% set rules = {
    'event_id_missing': "delivered.event_id is null",
    'session_id_missing': "delivered.session_id is null",
    'event_type_missing': "delivered.event_type is null",
    'event_time_missing': "delivered.event_time is null",
    'event_type_unknown_value': "delivered.event_type not in ('page_view', 'product_view', 'add_to_cart', 'checkout', 'purchase')",
    'payload_malformed': "not " ~ is_json_object("delivered.payload"),
    'event_time_in_future': "delivered.event_time >= " ~ days_later("delivered.landing_date", 1),
} %}

with delivered as (
    select * from {{ read_bronze('web_events') }}
where {{ in_window() }}
),

latest_attempts as (
    {{ latest_attempts('web_events') }}
),

judged as (
    select
        delivered.*,
        cast(delivered.event_time as date) as event_date,
        {{ reject_reasons(rules) }} as reject_reasons
    from delivered
)

select
    judged.event_id,
    judged.session_id,
    judged.customer_id,
    judged.event_type,
    judged.product_id,
    judged.payload,
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
