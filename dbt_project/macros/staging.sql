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
   table and key that it must lead to; `shown` maps a column to what may be kept of it; `moments` are the columns of time.
   A moment that cannot be stays in bronze alone: here it is null, for the next cast would end the build. #}
{% macro staged(source_name, key, columns, rules, references={}, shown={}, moments=['event_time']) %}
{%- set impossible = {} -%}
{%- for moment in moments -%}
    {%- set never = moment ~ "_was_impossible or live." ~ moment ~ " < timestamp '" ~ first_known_day() ~ "'" -%}
    {%- do impossible.update({moment ~ "_impossible": "live." ~ never}) -%}
    {%- do impossible.update({moment ~ "_missing": "live." ~ moment ~ " is null and not live." ~ moment ~ "_was_impossible"}) -%}
{%- endfor -%}
{%- set rules = dict(rules, **impossible) -%}

with delivered as (
    select * from {{ read_bronze(source_name) }}
    where {{ in_window() }}
),

-- The highest admitted attempt of each slot: it replaces the lower ones as a whole.
latest_attempts as (
    {{ latest_attempts(source_name) }}
),

-- For which reasons a person has discarded rejected rows of a batch, as `;a,b;c;`.
given_up as (
    select
        landing_date,
        batch_id,
        discarded_reasons
    from {{ read_bronze('admissions') }}
    where source = '{{ source_name }}' and discarded_reasons is not null and {{ in_window() }}
),

live as (
    select
        delivered.* exclude ({{ moments | join(', ') }}),
        {% for moment in moments -%}
        {{ possible_moment('delivered.' ~ moment) }} as {{ moment }},
        delivered.{{ moment }} is not null and {{ possible_moment('delivered.' ~ moment) }} is null
            as {{ moment }}_was_impossible,
        {% endfor -%}
        delivered._batch_attempt < coalesce(latest_attempts.attempt, delivered._batch_attempt) as is_superseded,
        coalesce(latest_attempts.late_accepted, false) as late_accepted,
        given_up.discarded_reasons
    from delivered
    left join latest_attempts
        on
            delivered.landing_date = latest_attempts.landing_date
            and delivered._batch_sequence = latest_attempts.batch_sequence
    left join given_up
        on delivered.landing_date = given_up.landing_date and delivered._batch_id = given_up.batch_id
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
    -- A rejected row stays rejected even if its batch was replaced: it is evidence. So does a discarded one.
    case
        when position(concat(';', reject_reasons, ';') in discarded_reasons) > 0 then 'discarded'
        when reject_reasons is not null then 'rejected'
        when is_superseded then 'superseded'
        when event_date < {{ days_later('landing_date', -allowed_lateness_days()) }} and not late_accepted then 'held_late'
        else 'valid'
    end as disposition
from judged
{% endmacro %}

{# The first day of which the reference data know a currency rate: nothing before it can be valued, or have happened. #}
{% macro first_known_day() -%}
    {%- set found = none -%}
    {%- if execute -%}
        {%- set file = home() ~ '/reference/currency_rates.parquet' -%}
        {%- if run_query("select count(*) from glob('" ~ file ~ "')").columns[0].values()[0] -%}
            {%- set days = run_query(
                "select cast(min(rate_date) as varchar) from read_parquet('" ~ file ~ "', hive_partitioning = false)"
            ) -%}
            {{ return(days.columns[0].values()[0] or '0001-01-01') }}
        {%- endif -%}
    {%- endif -%}
    {{ return('0001-01-01') }}
{%- endmacro %}

{# Rules that hold for every source. #}
{% macro event_time_rules() -%}
    {{ return({
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

{# Under which reading a build judges the rows of a source; the platform says it, a shell need not. #}
{% macro reading_of(source_name) -%}
    {{ return(env_var('RELIABILITY_READING_' ~ source_name | upper, '') if execute else '') }}
{%- endmacro %}

{# The dead letters of a source with all that a person needs to judge them, masked. As delivered they are in bronze.
   Those that are rejected come from staging; those that were and pass now, from the memory of earlier builds. #}
{% macro dead_letters(source_name, key, columns) %}
{%- set shown_columns = key ~ ", landing_date, batch_id, batch_sequence, batch_attempt, row_number, reject_reasons" %}
{%- set delivery = "(partition by landing_date, batch_sequence, coalesce(" ~ key ~ ", -row_number))" %}
select
    '{{ source_name }}' as source,
    letters.landing_date,
    letters.batch_id,
    letters.batch_sequence,
    letters.batch_attempt,
    letters.row_number,
    letters.{{ key }} as record_key,
    letters.reject_reasons,
    letters.original_row,
    {{ sha256_of('letters.original_row') }} as checksum,
    letters.first_failed_at,
    letters.last_failed_at,
    letters.attempts,
    case
        when letters.disposition = 'discarded' then 'discarded'
        when letters.batch_attempt < latest_attempts.attempt then 'superseded'
        when letters.is_rejected then 'quarantined'
        else 'replayed'
    end as state,
    '{{ reading_of(source_name) }}' as reading
from (
    select
        {{ shown_columns }},
        disposition,
        true as is_rejected,
        {{ row_as_json(columns, masked_columns(columns)) }} as original_row,
        min(landed_at) over {{ delivery }} as first_failed_at,
        max(landed_at) over {{ delivery }} as last_failed_at,
        count(*) over {{ delivery }} as attempts
    from {{ ref('stg_' ~ source_name) }}
    where reject_reasons is not null and {{ in_window() }}
    union all
    select
        {{ shown_columns }},
        'passed' as disposition,
        false as is_rejected,
        {{ row_as_json(columns, masked_columns(columns)) }} as original_row,
        first_failed_at,
        last_failed_at,
        attempts
    from (
        select
            {% for column in columns -%}
            staged.{{ column }},
            {% endfor -%}
            staged.landing_date,
            staged.batch_id,
            staged.batch_sequence,
            staged.batch_attempt,
            staged.row_number,
            remembered.reject_reasons,
            remembered.first_failed_at,
            remembered.last_failed_at,
            remembered.attempts
        from {{ ref('stg_' ~ source_name) }} as staged
        inner join {{ read_dead_letters() }} as remembered
            on
                remembered.source = '{{ source_name }}'
                and staged.landing_date = remembered.landing_date
                and staged.batch_id = remembered.batch_id
                and staged.row_number = remembered.row_number
                and staged.{{ key }} is not distinct from remembered.record_key
        where staged.reject_reasons is null and {{ in_window('staged.landing_date') }}
    ) as passing
) as letters
left join ({{ latest_attempts(source_name) }}) as latest_attempts
    on
        letters.landing_date = latest_attempts.landing_date
        and letters.batch_sequence = latest_attempts.batch_sequence
{% endmacro %}
