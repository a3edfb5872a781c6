{# What staging models share: which deliveries count, when a row is rejected, what becomes of it. #}

{# The highest admitted attempt of each slot, of one source or of all. It replaces the lower ones as a whole. #}
{% macro latest_attempts(source_name=none) -%}
    select
        source,
        landing_date,
        batch_sequence,
        max(batch_attempt) as attempt,
        bool_or(late_accepted) as late_accepted
    from {{ read_bronze('admissions', days_of_window()) }}
    where {% if source_name %}source = '{{ source_name }}' and {% endif %}status = 'admitted' and {{ in_window() }}
    group by source, landing_date, batch_sequence
{%- endmacro %}

{# For which reasons a person has discarded rejected rows of a batch, as `;a,b;c;`. #}
{% macro discards(source_name) -%}
    select
        landing_date,
        batch_id,
        discarded_reasons
    from {{ read_bronze('admissions', days_of_window()) }}
    where source = '{{ source_name }}' and discarded_reasons is not null and {{ in_window() }}
{%- endmacro %}

{# The rows of `live` that contradict the first delivery of their key on that day. Almost all keys come once a day; only
   the others are compared. #}
{% macro conflicting_rows(source_name) -%}
    {%- set key, content = keys_of_sources()[source_name], row_as_json(columns_of(source_name), types_of(source_name)) -%}
    select
        landing_date,
        _batch_id,
        _row_number
    from (
        select
            landing_date,
            _batch_id,
            _row_number,
            {{ content }} as content,
            first_value({{ content }}) over (
                partition by landing_date, {{ key | join(', ') }}
                order by _batch_attempt desc, _batch_id asc, _row_number asc
            ) as first_content
        from live
        where
            not is_superseded
            and (landing_date, {{ key | join(', ') }}) in (
                select
                    repeated.landing_date,
                    repeated.{{ key | join(', repeated.') }}
                from live as repeated
                where not repeated.is_superseded
                group by repeated.landing_date, repeated.{{ key | join(', repeated.') }}
                having count(*) > 1
            )
    ) as compared
    where content <> first_content
{%- endmacro %}

{# `rules` maps a reason to the condition under which a row is rejected for it. Reasons come out sorted. #}
{% macro reject_reasons(rules) -%}
    nullif(concat_ws(','
    {%- for reason, condition in rules | dictsort %},
            case when {{ condition }} then '{{ reason }}' end
    {%- endfor %}
        ), '')
{%- endmacro %}

{# Before the first day of which the reference data know a currency rate nothing can be valued, or have happened. What no
   date holds cannot either. #}
{% macro is_impossible(delivered) -%}
    ({{ delivered }} is not null and {{ possible_moment(delivered) }} is null)
    or {{ delivered }} < timestamp '{{ first_known_day() }}'
{%- endmacro %}

{% macro first_known_day() -%}
    {{ return(adapter.dispatch('first_known_day')() if execute else '0001-01-01') }}
{%- endmacro %}
{% macro default__first_known_day() -%}
    {%- set file = home() ~ '/reference/currency_rates.parquet' -%}
    {%- if run_query("select count(*) from glob('" ~ file ~ "')").columns[0].values()[0] -%}
        {%- set days = run_query(
            "select cast(min(rate_date) as varchar) from read_parquet('" ~ file ~ "', hive_partitioning = false)"
        ) -%}
        {{ return(days.columns[0].values()[0] or '0001-01-01') }}
    {%- endif -%}
    {{ return('0001-01-01') }}
{%- endmacro %}

{% macro is_in_future(moment, zone='UTC') -%}
    {%- set is_later = moment ~ ' >= ' ~ days_later('live.landing_date', 1) if zone == 'UTC'
        else day_in_zone(moment, zone) ~ ' > live.landing_date' -%}
    ({{ moment }} > live._landed_at or {{ is_later }})
{%- endmacro %}

{% macro allowed_lateness_days() -%}
    {%- if execute -%}
        {{ return(run_query("select value from build_rules where name = 'allowed_lateness_days'").columns[0].values()[0] | int) }}
    {%- endif -%}
    {{ return(3) }}
{%- endmacro %}

{# The one thing that becomes of a row. A rejected row stays rejected even if its batch was replaced: it is evidence. So
   does a discarded one. #}
{% macro disposition() -%}
    case
        when position(concat(';', reject_reasons, ';') in discarded_reasons) > 0 then 'discarded'
        when reject_reasons is not null then 'rejected'
        when is_superseded then 'superseded'
        when event_date < {{ days_later('landing_date', -allowed_lateness_days()) }} and not late_accepted then 'held_late'
        else 'valid'
    end
{%- endmacro %}
