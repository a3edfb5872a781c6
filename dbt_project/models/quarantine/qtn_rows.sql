with remembered as (
    select
        dead_letters.source,
        dead_letters.landing_date,
        dead_letters.batch_id,
        dead_letters.row_number,
        cast(dead_letters.record_key as string) as record_key,
        dead_letters.reject_reasons,
        dead_letters.first_failed_at,
        dead_letters.last_failed_at,
        dead_letters.attempts
    from {{ read_dead_letters() }} as dead_letters
),

latest_attempts as (
    {{ latest_attempts() }}
),

rejected as (
    {% for source_name in keys_of_sources() %}
        select
            '{{ source_name }}' as source,
            staged.landing_date,
            staged.batch_id,
            staged.batch_sequence,
            staged.batch_attempt,
            staged.row_number,
            {{ record_key(source_name, 'staged') }} as record_key,
            staged.reject_reasons,
            {{ masked_row(source_name, 'staged', 'staged.reject_reasons') }} as original_row,
            staged.landed_at,
            case when staged.disposition = 'discarded' then 'discarded' else 'quarantined' end as state
        from {{ ref('stg_' ~ source_name) }} as staged
        where staged.reject_reasons is not null and {{ in_window('staged.landing_date') }}
        {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

-- How often the key of a slot has failed, over all attempts.
counted as (
    select
        source,
        landing_date,
        batch_id,
        batch_sequence,
        batch_attempt,
        row_number,
        record_key,
        reject_reasons,
        original_row,
        state,
        min(landed_at) over (
            partition by source, landing_date, batch_sequence, coalesce(record_key, concat('row ', row_number))
        ) as first_failed_at,
        max(landed_at) over (
            partition by source, landing_date, batch_sequence, coalesce(record_key, concat('row ', row_number))
        ) as last_failed_at,
        count(*) over (
            partition by source, landing_date, batch_sequence, coalesce(record_key, concat('row ', row_number))
        ) as attempts
    from rejected
),

-- What was a dead letter before an earlier build, and passes now.
replayed as (
    {% for source_name in keys_of_sources() %}
        select
            '{{ source_name }}' as source,
            staged.landing_date,
            staged.batch_id,
            staged.batch_sequence,
            staged.batch_attempt,
            staged.row_number,
            {{ record_key(source_name, 'staged') }} as record_key,
            remembered.reject_reasons,
            {{ masked_row(source_name, 'staged', 'remembered.reject_reasons') }} as original_row,
            'replayed' as state,
            remembered.first_failed_at,
            remembered.last_failed_at,
            remembered.attempts
        from {{ ref('stg_' ~ source_name) }} as staged
        inner join remembered
            on
                remembered.source = '{{ source_name }}'
                and staged.landing_date = remembered.landing_date
                and staged.batch_id = remembered.batch_id
                and staged.row_number = remembered.row_number
                and {{ record_key(source_name, 'staged') }} is not distinct from remembered.record_key
        where staged.reject_reasons is null and {{ in_window('staged.landing_date') }}
        {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

letters as (
    select * from counted
    union all
    select * from replayed
)

select
    letters.source,
    letters.landing_date,
    letters.batch_id,
    letters.batch_sequence,
    letters.batch_attempt,
    letters.row_number,
    letters.record_key,
    letters.reject_reasons,
    letters.original_row,
    {{ sha256_of('letters.original_row') }} as checksum,
    letters.first_failed_at,
    letters.last_failed_at,
    letters.attempts,
    case
        when letters.state <> 'discarded' and letters.batch_attempt < latest_attempts.attempt then 'superseded'
        else letters.state
    end as state,
    readings.value as reading
from letters
left join build_rules as readings
    on readings.name = concat('reading_', letters.source)
left join latest_attempts
    on
        letters.source = latest_attempts.source
        and letters.landing_date = latest_attempts.landing_date
        and letters.batch_sequence = latest_attempts.batch_sequence
