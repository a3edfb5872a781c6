{# Each measure of a mart beside what it must add up to, by event date; `silver` and `gold` have one column a measure. A
   date that only one of them has counts as 0 in the other. A mart of an own dbt project that has no days is compared as a
   whole, on no date. #}
{% macro differences(source_name, mart, silver, gold, measures) %}
    {% for measure in measures %}
    select
        '{{ source_name }}' as source,
        '{{ mart }}' as table_name,
        '{{ measure | replace('"', '') }}' as measure,
        event_date,
        cast(coalesce(sum(silver_value), 0) as decimal(38, 2)) as silver_value,
        cast(coalesce(sum(gold_value), 0) as decimal(38, 2)) as gold_value
    from (
        select
            event_date,
            {{ measure }} as silver_value,
            null as gold_value
        from {{ silver }}
        union all
        select
            event_date,
            null as silver_value,
            {{ measure }} as gold_value
        from {{ gold }}
    ) as both_layers
    group by event_date
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
{% endmacro %}

{# The day of a row of a model of an own dbt project, by the column that its `meta.event_date` names; no date where it names
   none. `instead` is the day of what it is compared with. #}
{% macro own_day(model_name, instead=none) -%}
    {%- set said = namespace(column=none) -%}
    {%- for node in (graph.nodes.values() if execute else []) -%}
        {%- if node.resource_type == 'model' and node.name == model_name -%}
            {%- set said.column = node.config.meta.get('event_date') -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if not said.column -%} cast(null as date)
    {%- elif instead -%} {{ instead }}
    {%- else -%} cast({{ adapter.quote(said.column) }} as date)
    {%- endif -%}
{%- endmacro %}
