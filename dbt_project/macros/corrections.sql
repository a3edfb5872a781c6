{# Values that people have corrected, in the place of those that came. What is in force the platform has evaluated before, into
   `corrected_cells`: one row for each value and correction, of which the last counts. #}

{# Bronze rows as staging reads them; without a correction in the window that is `read_bronze`. #}
{% macro read_corrected(table) -%} {{ return(adapter.dispatch('read_corrected')(table)) }} {%- endmacro %}
{% macro default__read_corrected(table) -%}
    {%- set columns, bronze = corrected_columns(table), 'delivered_' ~ table -%}
    {%- if not columns -%} {{ return(read_bronze(table, days_of_window())) }} {%- endif -%}
    (
        select
            {{ bronze }}.* replace (
                {% for name, type, forgets in columns %}
                case
                    when corrected_{{ name }}.row_number is null then {{ bronze }}.{{ name }}
                    else cast(corrected_{{ name }}.after as {{ type }})
                end as {{ name }},
                {% endfor %}
                {{ still_rescued(bronze, columns) }} as _rescued
            )
        from {{ read_bronze(table, days_of_window()) }}
        {% for name, type, forgets in columns %}
        left join ({{ last_corrected(table, name) }}) as corrected_{{ name }}
            on
                {{ bronze }}.landing_date = corrected_{{ name }}.landing_date
                and {{ bronze }}._batch_id = corrected_{{ name }}.batch_id
                and {{ bronze }}._row_number = corrected_{{ name }}.row_number
        {% endfor %}
    ) as corrected_{{ table }}
{%- endmacro %}

{# Name, type, and whether texts that could not be read may be rescued of it: each column with a corrected value in the window. #}
{% macro corrected_columns(table) -%}
    {%- set found = [] -%}
    {#- In a dbt unit test the source is the hand-made rows of the test. -#}
    {%- if execute and '__dbt__cte__' not in (source('bronze', table) | string) -%}
        {%- set rows = run_query(
            "select column_name, any_value(type), count(forgets) > 0 from corrected_cells where source = '" ~ table ~ "' and "
            ~ in_window() ~ " group by column_name order by column_name"
        ) -%}
        {%- for row in rows.rows -%} {%- do found.append(row.values()) -%} {%- endfor -%}
    {%- endif -%}
    {{ return(found) }}
{%- endmacro %}

{% macro last_corrected(table, column) -%}
    select landing_date, batch_id, row_number, after, forgets
    from corrected_cells
    where source = '{{ table }}' and column_name = '{{ column }}' and {{ in_window() }}
    qualify row_number() over (partition by landing_date, batch_id, row_number order by position desc) = 1
{%- endmacro %}

{# What is rescued of a row without the texts whose columns have a value by now. `warehouse/corrected.py` spells the same. #}
{% macro still_rescued(bronze, columns) -%}
    {%- set left = namespace(sql=bronze ~ '._rescued') -%}
    {%- for name, type, forgets in columns if forgets -%}
        {%- set patch = 'corrected_' ~ name ~ '.forgets' -%}
        {%- set merged = "nullif(cast(json_merge_patch(" ~ left.sql ~ ", " ~ patch ~ ") as varchar), '{}')" -%}
        {%- set left.sql = "case when " ~ patch ~ " is null then " ~ left.sql ~ " else " ~ merged ~ " end" -%}
    {%- endfor -%}
    {{ left.sql }}
{%- endmacro %}
