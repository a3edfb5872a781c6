{# What sqlfluff sees instead of the project's macros: plain SQL of the same shape. #}
{% macro in_window(column='landing_date') %}{{ column }} >= date '2026-01-01'{% endmacro %}
{% macro read_bronze(table) %}bronze_{{ table }}{% endmacro %}
{% macro read_reference(table) %}reference_{{ table }}{% endmacro %}
{% macro is_malformed(column) %}false{% endmacro %}
{% macro days_later(column, days) %}{{ column }}{% endmacro %}
{% macro dead_letters(source_name, key, columns) %}select {{ key }} from {{ source_name }}{% endmacro %}
{% macro winners(source_name, key, columns) %}select {{ key }} from {{ source_name }}{% endmacro %}
{% macro in_touched_dates(source_names) %}true{% endmacro %}
{% macro touched_dates(source_names) %}select event_date from touched_event_dates{% endmacro %}
{% macro is_poisonous(column) %}false{% endmacro %}
{% macro holds_personal_data(column) %}false{% endmacro %}
{% macro event_time_rules() %}{{ return({}) }}{% endmacro %}
{% macro staged(source_name, key, columns, rules, references={}, shown={}, moments=[]) %}select {{ key }} from {{ source_name }}{% endmacro %}
{% macro keys_of_sources() %}{{ return({'orders': 'order_id', 'payments': 'payment_id'}) }}{% endmacro %}
