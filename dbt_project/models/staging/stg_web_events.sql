{# Generated from contracts/web_events.yml by `reliability generate`: change that, not this (16f103f782b3). #}
with delivered as (
    select * from {{ read_corrected('web_events') }}
    where {{ in_window() }}
),

latest_attempts as (
    {{ latest_attempts('web_events') }}
),

discards as (
    {{ discards('web_events') }}
),

-- Each delivered row with what is known of its batch. A moment that no date holds is null: a cast would end the build.
live as (
    select
        {{ all_but('delivered', 'web_events', ['event_time']) }},
        delivered.event_time as delivered_event_time,
        {{ possible_moment('delivered.event_time') }} as event_time,
        {{ json_fault('delivered.payload') }} as _fault_of_payload,
        {{ holds_personal_data('delivered.payload') }} as _personal_in_payload,
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
    {{ conflicting_rows('web_events') }}
),

judged as (
    select
        live.*,
        cast(live.event_time as date) as event_date,
        {{ reject_reasons({
            'event_id_missing': "live.event_id is null",
            'session_id_missing': "live.session_id is null",
            'event_type_missing': "live.event_type is null",
            'event_type_unknown_value': "live.event_type not in ('page_view', 'product_view', 'add_to_cart', 'checkout', 'purchase')",
            'payload_malformed': "live.payload is null or live._fault_of_payload = 'malformed'",
            'payload_poisonous': "live._fault_of_payload = 'poisonous'",
            'payload_personal_data': "live._personal_in_payload",
            'event_time_missing': "live.delivered_event_time is null",
            'event_time_impossible': is_impossible('live.delivered_event_time'),
            'event_time_in_future': is_in_future('live.event_time'),
            'key_conflict': "conflicts._row_number is not null",
        }) }} as reject_reasons
    from live
    left join conflicts
        on
            live.landing_date = conflicts.landing_date
            and live._batch_id = conflicts._batch_id
            and live._row_number = conflicts._row_number
)

select
    event_id,
    session_id,
    customer_id,
    event_type,
    product_id,
    case when _personal_in_payload then 'masked: personal data' else payload end as payload,
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
