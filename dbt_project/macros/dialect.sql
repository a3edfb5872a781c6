{# The few expressions that engines spell differently. Another engine needs its own spelling of these and nothing else. #}

{% macro is_json_object(column) -%} {{ return(adapter.dispatch('is_json_object')(column)) }} {%- endmacro %}
{% macro default__is_json_object(column) -%}
    coalesce(json_type(try_cast({{ column }} as json)) = 'OBJECT', false)
{%- endmacro %}

{# `shown` maps a column to what stands in its place. #}
{% macro row_as_json(columns, shown={}) -%} {{ return(adapter.dispatch('row_as_json')(columns, shown)) }} {%- endmacro %}
{% macro default__row_as_json(columns, shown) -%}
    cast(to_json(struct_pack({% for column in columns %}{{ column }} := {{ shown.get(column, column) }}{{ ', ' if not loop.last }}{% endfor %})) as varchar)
{%- endmacro %}

{# How a text looks and not what it says: letters as X and x, digits as 9. #}
{% macro shape_of(column) -%} {{ return(adapter.dispatch('shape_of')(column)) }} {%- endmacro %}
{% macro default__shape_of(column) -%}
    regexp_replace(regexp_replace(regexp_replace(regexp_replace(
        left({{ column }}, 40), '[^\p{L}\p{Nd} .,:;@+_/()-]', '?', 'g'), '\p{Nd}', '9', 'g'), '\p{Lu}', 'X', 'g'), '[\p{Ll}\p{Lm}\p{Lo}\p{Lt}]', 'x', 'g')
{%- endmacro %}

{% macro sha256_of(expression) -%} {{ return(adapter.dispatch('sha256_of')(expression)) }} {%- endmacro %}
{% macro default__sha256_of(expression) -%} sha256({{ expression }}) {%- endmacro %}

{% macro days_later(column, days) -%} {{ return(adapter.dispatch('days_later')(column, days)) }} {%- endmacro %}
{% macro default__days_later(column, days) -%} ({{ column }} + interval ({{ days }}) day) {%- endmacro %}

{% macro matches(column, pattern) -%} {{ return(adapter.dispatch('matches')(column, pattern)) }} {%- endmacro %}
{% macro default__matches(column, pattern) -%} regexp_matches({{ column }}, '{{ pattern }}') {%- endmacro %}

{% macro contains_text(column, text) -%} {{ return(adapter.dispatch('contains_text')(column, text)) }} {%- endmacro %}
{% macro default__contains_text(column, text) -%} contains({{ column }}, '{{ text }}') {%- endmacro %}
