{# What people may see of a rejected row. The contracts say which columns are which, `reliability_platform/masking.py`
   masks by the same rules outside the warehouse, and a test compares both with this. #}

{% macro personal_columns() -%} {{ return(['customer_id']) }} {%- endmacro %}
{% macro free_text_columns() -%} {{ return(['payload']) }} {%- endmacro %}
{% macro label_columns() -%}
    {{ return(['currency', 'channel', 'method', 'status', 'carrier', 'event_type']) }}
{%- endmacro %}

{# A row of `relation` as JSON, masked. A label that is rejected as unknown may be anything: a name, a number. #}
{% macro masked_row(columns, relation, reject_reasons) -%}
    {%- set values = {} -%}
    {%- for column in columns -%}
        {%- set value = relation ~ '.' ~ column -%}
        {%- if column in personal_columns() -%}
            {%- set value = "case when " ~ value ~ " is not null then '•••' end" -%}
        {%- elif column in free_text_columns() -%}
            {%- set value = "'text of ' || length(" ~ value ~ ") || ' characters'" -%}
        {%- elif column in label_columns() -%}
            {%- set is_unknown = contains_text(reject_reasons, column ~ '_unknown_value') -%}
            {%- set value = "case when " ~ is_unknown ~ " then " ~ shape_of(value) ~ " else " ~ value ~ " end" -%}
        {%- endif -%}
        {%- do values.update({column: value}) -%}
    {%- endfor -%}
    {{ return(row_as_json(values)) }}
{%- endmacro %}
