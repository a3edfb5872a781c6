{# What Apache Spark spells differently. `reliability_platform/warehouse/spark/` gives each session bronze, reference data, dead
   letters and build rules as temporary views, and the function `json_fault`; literals are read as they are written
   (`spark.sql.parser.escapedStringLiterals`) and moments have no zone (`spark.sql.timestampType`). #}

{% macro spark__read_bronze(table, days) -%} bronze_{{ table }} as delivered_{{ table }} {%- endmacro %}
{% macro spark__read_dead_letters() -%} dead_letters {%- endmacro %}
{% macro spark__read_reference(table) -%} reference_{{ table }} {%- endmacro %}

{# Values that people have corrected are in `bronze_…` already. #}
{% macro spark__read_corrected(table) -%} {{ read_bronze(table) }} {%- endmacro %}

{% macro spark__first_known_day() -%}
    {%- set days = run_query("select cast(min(rate_date) as string) from reference_currency_rates") -%}
    {{ return(days.columns[0].values()[0] or '0001-01-01') }}
{%- endmacro %}

{% macro spark__all_but(relation, source_name, names) -%}
    {%- set own = ['_rescued', '_batch_id', '_batch_sequence', '_batch_attempt', '_row_number', '_landed_at', 'landing_date'] -%}
    {{ relation }}.{{ (columns_of(source_name) + own) | reject('in', names) | join(', ' ~ relation ~ '.') }}
{%- endmacro %}

{% macro spark__json_fault(column) -%} json_fault({{ column }}) {%- endmacro %}

{# As DuckDB writes them: a moment without the T and with as many digits of a second as it has, a decimal without zeros at the
   end. A value that is masked is a text already. #}
{% macro spark__row_as_json(values, types) -%}
    to_json(named_struct(
        {%- for column, value in values.items() -%}
            {%- set kind = {'timestamp': 'string', 'decimal': 'double'}.get(types.get(column)) if value.split('.')[-1] == column -%}
            '{{ column }}', {{ 'cast(' ~ value ~ ' as ' ~ kind ~ ')' if kind else value }}{{ ', ' if not loop.last }}
        {%- endfor -%}
    ), map('ignoreNullFields', 'false'))
{%- endmacro %}

{% macro spark__shape_of(column) -%}
    regexp_replace(regexp_replace(regexp_replace(regexp_replace(
        left({{ column }}, 40), '[^\p{L}\p{Nd} .,:;@+_/()-]', '?'), '\p{Nd}', '9'), '\p{Lu}', 'X'), '[\p{Ll}\p{Lm}\p{Lo}\p{Lt}]', 'x')
{%- endmacro %}

{% macro spark__sha256_of(expression) -%} sha2({{ expression }}, 256) {%- endmacro %}
{% macro spark__days_later(column, days) -%} ({{ column }} + interval '{{ days }}' day) {%- endmacro %}
{% macro spark__matches(column, pattern) -%} regexp_like({{ column }}, '{{ pattern }}') {%- endmacro %}
{% macro spark__day_in_zone(moment, zone) -%} cast(convert_timezone('UTC', '{{ zone }}', {{ moment }}) as date) {%- endmacro %}
{% macro spark__keys_as_text() -%} {%- endmacro %}

{% macro spark__ensure_touched_event_dates() %}
    create table if not exists {{ target.schema }}.touched_event_dates (source string, event_date date) using iceberg
{% endmacro %}

{# There is no transaction over several statements: what a run that was killed had noted of keys stays, until a run of the model
   ends, or a key whose old winner is gone would get no new one. #}
{% macro spark__forget_old_winners() %}
    {%- if execute -%}
        {%- set source_name, affected = model.config.meta.source, affected_keys_table() -%}
        {%- set key = keys_of_sources()[source_name] | join(', ') -%}
        {%- set staged = ref('stg_' ~ source_name) -%}
        {%- do run_query(
            'create table if not exists ' ~ affected ~ ' using iceberg as select ' ~ key ~ ' from ' ~ staged ~ ' where false'
        ) -%}
        {%- if load_relation(this) is not none -%}
            {%- do run_query('insert into ' ~ affected ~ ' ' ~ keys_in_window(source_name)) -%}
            {%- do run_query('insert into touched_event_dates ' ~ dates_of_old_winners(source_name)) -%}
            {{ delete_old_winners(source_name) }}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}

{% macro spark__note_new_winners() %}
    {%- if execute -%}
        {%- do run_query('insert into touched_event_dates ' ~ dates_of_new_winners()) -%}
        delete from {{ affected_keys_table() }} where true
    {%- endif -%}
{% endmacro %}
