{# What sqlfluff sees instead of the project's macros: plain SQL of the same shape. #}
{% macro in_window(column='landing_date') %}{{ column }} >= date '2026-01-01'{% endmacro %}
{% macro read_bronze(table) %}bronze_{{ table }}{% endmacro %}
{% macro read_reference(table) %}reference_{{ table }}{% endmacro %}
{% macro latest_attempts(source_name) %}select landing_date, batch_sequence, attempt from attempts{% endmacro %}
{% macro reject_reasons(rules) %}cast(null as varchar){% endmacro %}
{% macro disposition() %}cast(null as varchar){% endmacro %}
{% macro is_json_object(column) %}true{% endmacro %}
{% macro days_later(column, days) %}{{ column }}{% endmacro %}
{% macro dead_letters(source_name, key, columns) %}select {{ key }} from {{ source_name }}{% endmacro %}
{% macro winners(source_name, key, columns) %}select {{ key }} from {{ source_name }}{% endmacro %}
{% macro in_touched_dates(source_names) %}true{% endmacro %}
{% macro touched_dates(source_names) %}select event_date from touched_event_dates{% endmacro %}
