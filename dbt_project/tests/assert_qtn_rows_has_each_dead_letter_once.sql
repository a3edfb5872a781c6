-- A returned row is a dead letter of this run's landing days that is missing from the quarantine, or in it twice: it
-- would have no state, or several.
with rejected as (
    {% for source_name in keys_of_sources() %}
        select
            '{{ source_name }}' as source,
            landing_date,
            batch_id,
            row_number,
            1 as rejections,
            0 as letters
        from {{ ref('stg_' ~ source_name) }}
        where reject_reasons is not null and {{ in_window() }}
        {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

letters as (
    select
        source,
        landing_date,
        batch_id,
        row_number,
        0 as rejections,
        1 as letters
    from {{ ref('qtn_rows') }}
    where {{ in_window() }}
),

both_sides as (
    select * from rejected
    union all
    select * from letters
)

select
    source,
    landing_date,
    batch_id,
    row_number
from both_sides
group by source, landing_date, batch_id, row_number
having sum(letters) <> 1
