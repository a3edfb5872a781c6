{# What people may see of a rejected row. The contracts say which columns are which, `reliability_platform/masking.py`
   masks by the same rules outside the warehouse, and a test compares both with this. #}

{# A row of `relation` as JSON, masked. A label that is rejected as unknown may be anything: a name, a number. #}
{% macro masked_row(source_name, relation, reject_reasons) -%}
    {%- set values, shown = {}, shown_as(source_name) -%}
    {%- for column in columns_of(source_name) -%}
        {%- set value = relation ~ '.' ~ column -%}
        {%- if shown.get(column) == 'personal' -%}
            {%- set value = "case when " ~ value ~ " is not null then '•••' end" -%}
        {%- elif shown.get(column) == 'free_text' -%}
            {%- set value = "'text of ' || length(" ~ value ~ ") || ' characters'" -%}
        {%- elif shown.get(column) == 'label' -%}
            {%- set is_unknown = contains_text(reject_reasons, column ~ '_unknown_value') -%}
            {%- set value = "case when " ~ is_unknown ~ " then " ~ shape_of(value) ~ " else " ~ value ~ " end" -%}
        {%- endif -%}
        {%- do values.update({column: value}) -%}
    {%- endfor -%}
    {{ return(row_as_json(values, types_of(source_name))) }}
{%- endmacro %}
