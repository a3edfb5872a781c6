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

{# One disposition per row. A rejected row stays rejected even if its batch was replaced: it is evidence. #}
{% macro disposition() -%}
    case
        when judged.reject_reasons is not null then 'rejected'
        when judged._batch_attempt < coalesce(latest_attempts.attempt, judged._batch_attempt) then 'superseded'
        when judged.event_date < {{ days_later('judged.landing_date', -allowed_lateness_days()) }} then 'held_late'
        else 'valid'
    end
{%- endmacro %}

{# The highest admitted attempt of each slot: it replaces the lower ones as a whole. #}
{% macro latest_attempts(source_name) -%}
    select
        landing_date,
        batch_sequence,
        max(batch_attempt) as attempt
    from {{ read_bronze('admissions') }}
    where source = '{{ source_name }}' and status = 'admitted' and {{ in_window() }}
    group by landing_date, batch_sequence
{%- endmacro %}

{# The rejected rows of a source with all that a person needs to judge and replay them. #}
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
        {{ row_as_json(columns) }} as original_row,
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
