{# Deduplication that does not depend on the order in which landing days are processed.

   A re-run of some landing days affects every key that they hold now or whose winner they held before. For those keys
   the winner is chosen anew among all valid rows of all days; keys that no valid row holds any more leave silver. #}

{% macro affected_keys_table() -%} affected_{{ this.identifier }} {%- endmacro %}

{# Pre-hook: note the affected keys and the event dates of their old winners, then remove those. #}
{% macro forget_old_winners(source_name, key) %}
    {%- if execute and load_relation(this) is not none -%}
        create or replace temp table {{ affected_keys_table() }} as
        select {{ key }} from {{ ref('stg_' ~ source_name) }} where {{ in_window() }} and disposition = 'valid'
        union
        select {{ key }} from {{ this }} where {{ in_window() }};

        insert into touched_event_dates
        select distinct '{{ source_name }}', event_date
        from {{ this }}
        where {{ key }} in (select {{ key }} from {{ affected_keys_table() }});

        delete from {{ this }} where {{ key }} in (select {{ key }} from {{ affected_keys_table() }})
    {%- endif -%}
{% endmacro %}

{# Post-hook: note the event dates of the new winners. #}
{% macro note_new_winners(source_name, key) %}
    insert into touched_event_dates
    select distinct '{{ source_name }}', event_date
    from {{ this }}
    {% if execute and is_incremental() %} where {{ key }} in (select {{ key }} from {{ affected_keys_table() }}) {% endif %}
{% endmacro %}

{# The winner of a key: the highest attempt, then the first delivery. Only facts of the data decide.
   Almost all keys come once; only the others are ranked, which halves the time of a full build. #}
{% macro winners(source_name, key, columns) %}
with candidates as (
    select
        {% for column in columns %}{{ column }},
        {% endfor -%}
        event_date,
        landing_date,
        batch_id,
        row_number,
        batch_attempt
    from {{ ref('stg_' ~ source_name) }}
    where
        disposition = 'valid'
        {% if is_incremental() %} and {{ key }} in (select {{ key }} from {{ affected_keys_table() }}) {% endif %}
),

repeated as (
    select {{ key }} from candidates group by {{ key }} having count(*) > 1
),

ranked as (
    select
        *,
        row_number() over (
            partition by {{ key }}
            order by batch_attempt desc, landing_date asc, batch_id asc, row_number asc
        ) as preference
    from candidates
    where {{ key }} in (select {{ key }} from repeated)
),

chosen as (
    select *, 1 as preference from candidates where {{ key }} not in (select {{ key }} from repeated)
    union all
    select * from ranked where preference = 1
)

select
    {% for column in columns %}{{ column }},
    {% endfor -%}
    event_date,
    landing_date,
    batch_id,
    row_number
from chosen
{% endmacro %}
