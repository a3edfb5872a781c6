{% for source_name in keys_of_sources() %}
    select
        '{{ source_name }}' as source,
        {{ record_key(source_name, 'staged') }} as record_key,
        staged.landing_date,
        staged.event_date,
        staged.batch_id,
        staged.row_number,
        staged.landed_at
    from {{ ref('stg_' ~ source_name) }} as staged
    where staged.disposition = 'held_late'
    {% if not loop.last %}union all{% endif %}
{% endfor %}
