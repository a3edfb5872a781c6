{# The few expressions that engines spell differently. Another engine needs its own spelling of these and nothing else. #}

{% macro is_json_object(column) -%} {{ return(adapter.dispatch('is_json_object')(column)) }} {%- endmacro %}
{% macro default__is_json_object(column) -%}
    coalesce(json_type(try_cast({{ column }} as json)) = 'OBJECT', false)
{%- endmacro %}

{% macro row_as_json(columns) -%} {{ return(adapter.dispatch('row_as_json')(columns)) }} {%- endmacro %}
{% macro default__row_as_json(columns) -%}
    cast(to_json(struct_pack({% for column in columns %}{{ column }} := {{ column }}{{ ', ' if not loop.last }}{% endfor %})) as varchar)
{%- endmacro %}

{% macro sha256_of(expression) -%} {{ return(adapter.dispatch('sha256_of')(expression)) }} {%- endmacro %}
{% macro default__sha256_of(expression) -%} sha256({{ expression }}) {%- endmacro %}

{% macro days_later(column, days) -%} {{ return(adapter.dispatch('days_later')(column, days)) }} {%- endmacro %}
{% macro default__days_later(column, days) -%} ({{ column }} + interval ({{ days }}) day) {%- endmacro %}

{% macro matches(column, pattern) -%} {{ return(adapter.dispatch('matches')(column, pattern)) }} {%- endmacro %}
{% macro default__matches(column, pattern) -%} regexp_matches({{ column }}, '{{ pattern }}') {%- endmacro %}

{% macro contains_text(column, text) -%} {{ return(adapter.dispatch('contains_text')(column, text)) }} {%- endmacro %}
{% macro default__contains_text(column, text) -%} contains({{ column }}, '{{ text }}') {%- endmacro %}
