{# What happens to every staged row: reasons to reject it, and its one disposition. #}

{# `rules` maps a reason to the condition under which a row is rejected for it. Reasons come out sorted. #}
{% macro reject_reasons(rules) -%}
    nullif(concat_ws(','
    {%- for reason, condition in rules | dictsort -%}
        , case when {{ condition }} then '{{ reason }}' end
    {%- endfor -%}
    ), '')
{%- endmacro %}

{% macro allowed_lateness_days() -%}
    {{ return((env_var('RELIABILITY_ALLOWED_LATENESS_DAYS', '3') if execute else '3') | int) }}
{%- endmacro %}

{# The whole of a staging model. `rules` maps a reason to its condition; `references` maps a column to the reference
   table and key that it must lead to; `shown` maps a column to what may be kept of it. #}
{% macro staged(source_name, key, columns, rules, references={}, shown={}) %}
with delivered as (
    select * from {{ read_bronze(source_name) }}
    where {{ in_window() }}
),

-- The highest admitted attempt of each slot: it replaces the lower ones as a whole.
latest_attempts as (
    {{ latest_attempts(source_name) }}
),

live as (
    select
        delivered.*,
        delivered._batch_attempt < coalesce(latest_attempts.attempt, delivered._batch_attempt) as is_superseded,
        coalesce(latest_attempts.late_accepted, false) as late_accepted
    from delivered
    left join latest_attempts
        on
            delivered.landing_date = latest_attempts.landing_date
            and delivered._batch_sequence = latest_attempts.batch_sequence
),

-- Almost all keys come once a day; only the others are compared.
repeated as (
    select
        landing_date,
        {{ key }}
    from live
    where not is_superseded
    group by landing_date, {{ key }}
    having count(*) > 1
),

compared as (
    select
        landing_date,
        _batch_id,
        _row_number,
        {{ row_as_json(columns) }} as content,
        first_value({{ row_as_json(columns) }}) over (
            partition by landing_date, {{ key }} order by _batch_attempt desc, _batch_id asc, _row_number asc
        ) as first_content
    from live
    where not is_superseded and (landing_date, {{ key }}) in (select landing_date, {{ key }} from repeated)
),

-- The first delivery of a key is kept; a later one of another content contradicts it.
contradicting as (
    select
        landing_date,
        _batch_id,
        _row_number
    from compared
    where content <> first_content
),

judged as (
    select
        live.*,
        cast(live.event_time as date) as event_date,
        {{ reject_reasons(dict(rules, key_conflict='contradicting._row_number is not null')) }} as reject_reasons
    from live
    left join contradicting
        on
            live.landing_date = contradicting.landing_date
            and live._batch_id = contradicting._batch_id
            and live._row_number = contradicting._row_number
    {%- for column, target in references.items() %}
    left join {{ read_reference(target) }} as {{ target }} on live.{{ column }} = {{ target }}.{{ column }}
    {%- endfor %}
)

select
    {% for column in columns -%}
    {{ shown.get(column, column) }} as {{ column }},
    {% endfor -%}
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
    -- A rejected row stays rejected even if its batch was replaced: it is evidence.
    case
        when reject_reasons is not null then 'rejected'
        when is_superseded then 'superseded'
        when event_date < {{ days_later('landing_date', -allowed_lateness_days()) }} and not late_accepted then 'held_late'
        else 'valid'
    end as disposition
from judged
{% endmacro %}

{# Rules that hold for every source. #}
{% macro event_time_rules() -%}
    {{ return({
        'event_time_missing': "live.event_time is null",
        'event_time_in_future': "(live.event_time > live._landed_at or live.event_time >= " ~ days_later("live.landing_date", 1) ~ ")",
    }) }}
{%- endmacro %}

{# The highest admitted attempt of each slot. #}
{% macro latest_attempts(source_name) -%}
    select
        landing_date,
        batch_sequence,
        max(batch_attempt) as attempt,
        bool_or(late_accepted) as late_accepted
    from {{ read_bronze('admissions') }}
    where source = '{{ source_name }}' and status = 'admitted' and {{ in_window() }}
    group by landing_date, batch_sequence
{%- endmacro %}

{# The rejected rows of a source with all that a person needs to judge them, masked. As delivered they are in bronze. #}
{% macro dead_letters(source_name, key, columns) %}
{%- set delivery = "(partition by landing_date, batch_sequence, coalesce(" ~ key ~ ", -row_number))" %}
select
    '{{ source_name }}' as source,
    rejected.landing_date,
    rejected.batch_id,
    rejected.batch_sequence,
    rejected.batch_attempt,
    rejected.row_number,
    rejected.{{ key }} as record_key,
    rejected.reject_reasons,
    rejected.original_row,
    {{ sha256_of('rejected.original_row') }} as checksum,
    rejected.first_failed_at,
    rejected.last_failed_at,
    rejected.attempts,
    case when rejected.batch_attempt < latest_attempts.attempt then 'superseded' else 'quarantined' end as state
from (
    select
        *,
        {{ row_as_json(columns, masked_columns(columns)) }} as original_row,
        min(landed_at) over {{ delivery }} as first_failed_at,
        max(landed_at) over {{ delivery }} as last_failed_at,
        count(*) over {{ delivery }} as attempts
    from {{ ref('stg_' ~ source_name) }}
    where disposition = 'rejected' and {{ in_window() }}
) as rejected
left join ({{ latest_attempts(source_name) }}) as latest_attempts
    on
        rejected.landing_date = latest_attempts.landing_date
        and rejected.batch_sequence = latest_attempts.batch_sequence
{% endmacro %}
