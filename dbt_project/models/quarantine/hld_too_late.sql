{% for source_name, key in keys_of_sources().items() %}
    select
        '{{ source_name }}' as source,
        {{ key }} as record_key,
        landing_date,
        event_date,
        batch_id,
        row_number,
        landed_at
    from {{ ref('stg_' ~ source_name) }}
    where disposition = 'held_late'
    {% if not loop.last %}union all{% endif %}
{% endfor %}
