{# The few expressions that engines spell differently. Another engine needs its own spelling of these and nothing else. #}

{# Why a text is no JSON object or array by RFC 8259: `malformed`, `poisonous`, or null. DuckDB's own parser is laxer than the RFC;
   the function is `reliability_platform/json_text.py`, which the plugin of the profile gives to each connection. #}
{% macro json_fault(column) -%} {{ return(adapter.dispatch('json_fault')(column)) }} {%- endmacro %}
{# Nearly every text is plain: DuckDB's own parser takes it, and it holds nothing in which that one is laxer (`NaN` and
   infinities, trailing commas), nor what the function looks at more closely. Only of the others the function is asked: it
   is called row by row, and takes 45 times as long. #}
{% macro default__json_fault(column) -%}
    case
        when length({{ column }}) <= 20000
            and (
                length({{ column }}) <= 100
                or length({{ column }}) - length(translate({{ column }}, '[{', '')) <= 100
            )
            and not regexp_matches({{ column }}, '(?i)nan|inf|,[ \t\r\n]*[\]}]|\\u')
            and json_type(try_cast({{ column }} as json)) in ('OBJECT', 'ARRAY')
            then null
        else json_fault({{ column }})
    end
{%- endmacro %}

{# A moment of the years 1 to 9999; null for what no date holds, as the NaT of numpy written raw, or infinity. #}
{% macro possible_moment(column) -%} {{ return(adapter.dispatch('possible_moment')(column)) }} {%- endmacro %}
{% macro default__possible_moment(column) -%}
    case
        when {{ column }} between timestamp '0001-01-01' and timestamp '9999-12-31 23:59:59.999999' then {{ column }}
    end
{%- endmacro %}

{# `values` maps a column to the expression of its value; a list takes each column as it is. `types` are those of `types_of`. #}
{% macro row_as_json(values, types) -%}
    {{ return(adapter.dispatch('row_as_json')(values if values is mapping else dict(zip(values, values)), types)) }}
{%- endmacro %}
{% macro default__row_as_json(values, types) -%}
    cast(to_json({{ '{ ' }}{% for column, value in values.items() %}'{{ column }}': {{ value }}{{ ', ' if not loop.last }}{% endfor %}{{ ' }' }}) as varchar)
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

{# All columns that bronze has of a source, but some. #}
{% macro all_but(relation, source_name, names) -%} {{ return(adapter.dispatch('all_but')(relation, source_name, names)) }} {%- endmacro %}
{% macro default__all_but(relation, source_name, names) -%} {{ relation }}.*{% if names %} exclude ({{ names | join(', ') }}){% endif %} {%- endmacro %}

{# The day of a moment by the calendar of a zone; moments are UTC. #}
{% macro day_in_zone(moment, zone) -%} {{ return(adapter.dispatch('day_in_zone')(moment, zone)) }} {%- endmacro %}
{% macro default__day_in_zone(moment, zone) -%}
    cast(({{ moment }} at time zone 'UTC') at time zone '{{ zone }}' as date)
{%- endmacro %}
