{# Generated from contracts/shipments.yml by `reliability generate`: change that, not this (fe0e89506e17). #}
with delivered as (
    select * from {{ read_corrected('shipments') }}
    where {{ in_window() }}
),

latest_attempts as (
    {{ latest_attempts('shipments') }}
),

discards as (
    {{ discards('shipments') }}
),

-- Each delivered row with what is known of its batch. A moment that no date holds is null: a cast would end the build.
live as (
    select
        {{ all_but('delivered', 'shipments', ['ordered_at', 'promised_at', 'event_time']) }},
        delivered.ordered_at as delivered_ordered_at,
        {{ possible_moment('delivered.ordered_at') }} as ordered_at,
        delivered.promised_at as delivered_promised_at,
        {{ possible_moment('delivered.promised_at') }} as promised_at,
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
    {{ conflicting_rows('shipments') }}
),

judged as (
    select
        live.*,
        cast(live.event_time as date) as event_date,
        {{ reject_reasons({
            'shipment_event_id_missing': "live.shipment_event_id is null",
            'shipment_id_missing': "live.shipment_id is null",
            'order_id_missing': "live.order_id is null",
            'carrier_missing': "live.carrier is null",
            'carrier_unknown_value': "live.carrier not in ('dhl', 'ups', 'fedex', 'postnord')",
            'status_missing': "live.status is null",
            'status_unknown_value': "live.status not in ('shipped', 'delivered', 'returned')",
            'weight_grams_missing': "live.weight_grams is null",
            'weight_grams_out_of_range': "live.weight_grams not between 1 and 100000",
            'ordered_at_missing': "live.delivered_ordered_at is null",
            'ordered_at_impossible': is_impossible('live.delivered_ordered_at'),
            'promised_at_missing': "live.delivered_promised_at is null",
            'promised_at_impossible': is_impossible('live.delivered_promised_at'),
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
    shipment_event_id,
    shipment_id,
    order_id,
    carrier,
    status,
    weight_grams,
    ordered_at,
    promised_at,
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
