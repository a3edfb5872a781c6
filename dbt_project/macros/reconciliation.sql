{# Each measure of a mart beside what it must add up to, by event date; `silver` and `gold` have one column a measure. A
   date that only one of them has counts as 0 in the other. #}
{% macro differences(source_name, mart, silver, gold, measures) %}
    {% for measure in measures %}
    select
        '{{ source_name }}' as source,
        '{{ mart }}' as table_name,
        '{{ measure }}' as measure,
        coalesce(silver.event_date, gold.event_date) as event_date,
        cast(coalesce(silver.{{ measure }}, 0) as decimal(38, 2)) as silver_value,
        cast(coalesce(gold.{{ measure }}, 0) as decimal(38, 2)) as gold_value
    from {{ silver }} as silver
    full outer join {{ gold }} as gold on silver.event_date = gold.event_date
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
{% endmacro %}
