{# The landing days of this run: half-open, from the flags event-time-start and event-time-end of dbt.
   Flags and not vars: a change of vars would make dbt parse the project anew. Without flags: everything. #}

{% macro window_start() %}
    {%- set given = invocation_args_dict.get('event_time_start') -%}
    {{ return((given | string)[:10] if given else '1971-01-01') }}
{% endmacro %}

{% macro window_end() %}
    {%- set given = invocation_args_dict.get('event_time_end') -%}
    {{ return((given | string)[:10] if given else '9999-12-31') }}
{% endmacro %}

{% macro in_window(column='landing_date') -%}
    {{ column }} >= date '{{ window_start() }}' and {{ column }} < date '{{ window_end() }}'
{%- endmacro %}

{# The landing days of the window as a pattern that few other days fit: to list 301 folders took 0.1 s, for each of 13 scans
   of a build. It fits the day of the sentinel, too, for a pattern that no file fits is an error. #}
{% macro days_of_window() -%}
    {%- set first = modules.datetime.date.fromisoformat(window_start()) -%}
    {%- set length = (modules.datetime.date.fromisoformat(window_end()) - first).days -%}
    {%- if length > 31 -%} {{ return('*') }} {%- endif -%}
    {%- set days, pattern = ['1970-01-01'], [] -%}
    {%- for number in range(length) -%}
        {%- do days.append((first + modules.datetime.timedelta(days=number)) | string) -%}
    {%- endfor -%}
    {%- for place in range(10) -%}
        {%- set fitting = days | map(attribute=place) | unique | sort | join -%}
        {%- do pattern.append(fitting if fitting | length == 1 else '[' ~ fitting ~ ']') -%}
    {%- endfor -%}
    {{ return(pattern | join) }}
{%- endmacro %}

{# Pre-hook of tables that are rewritten by landing day. #}
{% macro clear_window() %}
    {%- if execute and load_relation(this) is not none -%}
        delete from {{ this }} where {{ in_window() }}
    {%- endif -%}
{% endmacro %}

{# Pre-hook of the quarantine: keys were numbers in warehouses of version 0.3.0. #}
{% macro keys_as_text() %} {{ return(adapter.dispatch('keys_as_text')()) }} {% endmacro %}
{% macro default__keys_as_text() %}
    {%- if execute and load_relation(this) is not none -%}
        alter table {{ this }} alter column record_key type varchar
    {%- endif -%}
{% endmacro %}

{# A test on `where: __window__` judges the landing days of this run alone, one on `where: __touched_dates__` the event
   dates that it rewrites: one bad day must not fail all later ones. #}
{% macro get_where_subquery(relation) -%}
    {%- set where = config.get('where') -%}
    {%- if where -%}
        {%- set touched = 'event_date in (select event_date from touched_event_dates)' -%}
        {%- set condition = where | replace('__window__', in_window()) | replace('__touched_dates__', touched) -%}
        (select * from {{ relation }} where {{ condition }}) as judged
    {%- else -%}
        {{ relation }}
    {%- endif -%}
{%- endmacro %}
