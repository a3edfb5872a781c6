with staged as (
    select
        'orders' as source,
        staged.landing_date,
        staged.batch_id,
        count(*) as staged_rows,
        count(*) filter (where staged.disposition = 'rejected') as rejected_rows,
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
    from {{ ref('stg_orders') }} as staged
    left join {{ ref('int_orders__deduplicated') }} as winner on staged.order_id = winner.order_id
    group by staged.landing_date, staged.batch_id
    union all
    select
        'payments' as source,
        staged.landing_date,
        staged.batch_id,
        count(*) as staged_rows,
        count(*) filter (where staged.disposition = 'rejected') as rejected_rows,
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
    from {{ ref('stg_payments') }} as staged
    left join {{ ref('int_payments__deduplicated') }} as winner on staged.payment_id = winner.payment_id
    group by staged.landing_date, staged.batch_id
    union all
    select
        'web_events' as source,
        staged.landing_date,
        staged.batch_id,
        count(*) as staged_rows,
        count(*) filter (where staged.disposition = 'rejected') as rejected_rows,
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
    from {{ ref('stg_web_events') }} as staged
    left join {{ ref('int_web_events__deduplicated') }} as winner on staged.event_id = winner.event_id
    group by staged.landing_date, staged.batch_id
    union all
    select
        'shipments' as source,
        staged.landing_date,
        staged.batch_id,
        count(*) as staged_rows,
        count(*) filter (where staged.disposition = 'rejected') as rejected_rows,
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
    from {{ ref('stg_shipments') }} as staged
    left join {{ ref('int_shipments__deduplicated') }} as winner on staged.shipment_event_id = winner.shipment_event_id
    group by staged.landing_date, staged.batch_id
),

admissions as (
    select * from {{ read_bronze('admissions') }}
)

select
    admissions.source,
    admissions.landing_date,
    admissions.batch_id,
    admissions.status,
    admissions.delivered_rows,
    coalesce(staged.accepted_rows, 0) as accepted_rows,
    coalesce(staged.losing_rows, 0) + coalesce(staged.superseded_rows, 0) as duplicate_rows,
    coalesce(staged.rejected_rows, 0)
    + case when admissions.status = 'refused' then admissions.delivered_rows else 0 end as quarantined_rows,
    coalesce(staged.held_late_rows, 0) as held_late_rows,
    admissions.delivered_rows
    - coalesce(staged.accepted_rows, 0)
    - coalesce(staged.losing_rows, 0)
    - coalesce(staged.superseded_rows, 0)
    - coalesce(staged.rejected_rows, 0)
    - case when admissions.status = 'refused' then admissions.delivered_rows else 0 end
    - coalesce(staged.held_late_rows, 0) as unaccounted_rows
from admissions
left join staged
    on
        admissions.source = staged.source
        and admissions.landing_date = staged.landing_date
        and admissions.batch_id = staged.batch_id
