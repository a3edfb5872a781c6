with staged as (
    {% for source_name, key in keys_of_sources().items() %}
        select
            '{{ source_name }}' as source,
            staged.landing_date,
            staged.batch_id,
            count(*) filter (where staged.disposition in ('rejected', 'discarded')) as rejected_rows,
            count(*) filter (where staged.disposition = 'discarded') as discarded_rows,
            count(*) filter (where staged.disposition = 'superseded') as superseded_rows,
            count(*) filter (where staged.disposition = 'held_late') as held_late_rows,
            count(*) filter (
                where staged.disposition = 'valid'
                and winner.batch_id = staged.batch_id and winner.row_number = staged.row_number
            ) as accepted_rows,
            count(*) filter (
                where staged.disposition = 'valid'
                and (winner.batch_id <> staged.batch_id or winner.row_number <> staged.row_number)
            ) as losing_rows
        from {{ ref('stg_' ~ source_name) }} as staged
        left join {{ ref('int_' ~ source_name ~ '__deduplicated') }} as winner
            on {% for name in key %}staged.{{ name }} = winner.{{ name }}{{ ' and ' if not loop.last }}{% endfor %}

        group by staged.landing_date, staged.batch_id
        {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

admissions as (
    select
        *,
        case when status in ('refused', 'held') then delivered_rows else 0 end as refused_rows,
        case when state = 'discarded' then delivered_rows else 0 end as rows_of_discarded_files,
        -- A batch that had been delivered before, on another day.
        case when status = 'ignored' then delivered_rows else 0 end as known_rows
    from {{ read_bronze('admissions') }}
)

select
    admissions.source,
    admissions.landing_date,
    admissions.batch_id,
    admissions.status,
    admissions.delivered_rows,
    coalesce(staged.accepted_rows, 0) as accepted_rows,
    coalesce(staged.losing_rows, 0) + coalesce(staged.superseded_rows, 0) + admissions.known_rows as duplicate_rows,
    coalesce(staged.rejected_rows, 0) + admissions.refused_rows as quarantined_rows,
    coalesce(staged.discarded_rows, 0) + admissions.rows_of_discarded_files as discarded_rows,
    coalesce(staged.held_late_rows, 0) as held_late_rows,
    admissions.delivered_rows
    - coalesce(staged.accepted_rows, 0)
    - coalesce(staged.losing_rows, 0)
    - coalesce(staged.superseded_rows, 0)
    - coalesce(staged.rejected_rows, 0)
    - admissions.refused_rows
    - admissions.known_rows
    - coalesce(staged.held_late_rows, 0) as unaccounted_rows
from admissions
left join staged
    on
        admissions.source = staged.source
        and admissions.landing_date = staged.landing_date
        and admissions.batch_id = staged.batch_id
