{# What people may see of a rejected row. The contracts say which columns are which, `reliability_platform/masking.py`
   masks by the same rules outside the warehouse, and a test compares both with this. #}

{% macro personal_columns() -%} {{ return(['customer_id']) }} {%- endmacro %}
{% macro free_text_columns() -%} {{ return(['payload']) }} {%- endmacro %}
{% macro label_columns() -%}
    {{ return(['currency', 'channel', 'method', 'status', 'carrier', 'event_type']) }}
{%- endmacro %}

{# By column, what stands in its place. A label that the contract does not know may be anything: a name, a number. #}
{% macro masked_columns(columns) -%}
    {%- set shown = {} -%}
    {%- for column in columns -%}
        {%- if column in personal_columns() -%}
            {%- do shown.update({column: "case when " ~ column ~ " is not null then '•••' end"}) -%}
        {%- elif column in free_text_columns() -%}
            {%- do shown.update({column: "'text of ' || length(" ~ column ~ ") || ' characters'"}) -%}
        {%- elif column in label_columns() -%}
            {%- set unknown = contains_text('reject_reasons', column ~ '_unknown_value') -%}
            {%- do shown.update({
                column: "case when " ~ unknown ~ " then " ~ shape_of(column) ~ " else " ~ column ~ " end"
            }) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(shown) }}
{%- endmacro %}
