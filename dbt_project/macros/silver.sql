{# Deduplication that does not depend on the order in which landing days are processed.

   A re-run of some landing days affects every key that they hold now or whose winner they held before. For those keys
   the winner is chosen anew among all valid rows of all days; keys that no valid row holds any more leave silver.

   A silver model says in its configuration which source it deduplicates (`meta.source`); a key may have several columns. #}

{% macro affected_keys_table() -%} affected_{{ this.identifier }} {%- endmacro %}

{# Pre-hook: note the affected keys and the event dates of their old winners, then remove those. #}
{% macro forget_old_winners() %} {{ return(adapter.dispatch('forget_old_winners')()) }} {% endmacro %}
{% macro default__forget_old_winners() %}
    {%- if execute and load_relation(this) is not none -%}
        {%- set source_name = model.config.meta.source -%}
        create or replace temp table {{ affected_keys_table() }} as {{ keys_in_window(source_name) }};
        insert into touched_event_dates {{ dates_of_old_winners(source_name) }};
        {{ delete_old_winners(source_name) }}
    {%- endif -%}
{% endmacro %}

{% macro keys_in_window(source_name) -%}
    {%- set key = keys_of_sources()[source_name] | join(', ') -%}
    select {{ key }} from {{ ref('stg_' ~ source_name) }} where {{ in_window() }} and disposition = 'valid'
    union
    select {{ key }} from {{ this }} where {{ in_window() }}
{%- endmacro %}

{% macro dates_of_old_winners(source_name) -%}
    {%- set key = keys_of_sources()[source_name] | join(', ') -%}
    select distinct '{{ source_name }}' as source, event_date
    from {{ this }}
    where ({{ key }}) in (select {{ key }} from {{ affected_keys_table() }})
{%- endmacro %}

{% macro delete_old_winners(source_name) -%}
    {%- set key = keys_of_sources()[source_name] | join(', ') -%}
    delete from {{ this }} where ({{ key }}) in (select {{ key }} from {{ affected_keys_table() }})
{%- endmacro %}

{# Post-hook: note the event dates of the new winners. #}
{% macro note_new_winners() %} {{ return(adapter.dispatch('note_new_winners')()) }} {% endmacro %}
{% macro default__note_new_winners() %} insert into touched_event_dates {{ dates_of_new_winners() }} {% endmacro %}

{% macro dates_of_new_winners() -%}
    select distinct '{{ model.config.meta.source }}' as source, event_date
    from {{ this }}
    where {{ is_affected(keys_of_sources()[model.config.meta.source]) }}
{%- endmacro %}

{# The rows of staging whose keys this run affects; all of them in a full build. #}
{% macro is_affected(key) -%}
    {%- if execute and is_incremental() -%} ({{ key | join(', ') }}) in (select {{ key | join(', ') }} from {{ affected_keys_table() }}) {%- else -%} true {%- endif -%}
{%- endmacro %}

{# The key of a row as one text: several columns are parted by a bar, a personal one is its digest. Null only where a key
   of one column is. `Contract.record_key` spells the same. #}
{% macro record_key(source_name, relation) -%}
    {%- set parts, shown = [], shown_as(source_name) -%}
    {%- for name in keys_of_sources()[source_name] -%}
        {%- set part = 'cast(' ~ relation ~ '.' ~ name ~ ' as string)' -%}
        {%- do parts.append(sha256_of(part) if shown.get(name) == 'personal' else part) -%}
    {%- endfor -%}
    {%- if parts | length == 1 -%}
        {{ parts[0] }}
    {%- else -%}
        concat_ws('|'{% for part in parts %}, coalesce({{ part }}, ''){% endfor %})
    {%- endif -%}
{%- endmacro %}

{# The winner of a key has rank 1: the highest attempt of its batch, then the first delivery. Only facts of the data decide. #}
{% macro deduplication_rank(key) -%}
    row_number() over (
        partition by {{ key | join(', ') }}
        order by batch_attempt desc, landing_date asc, batch_id asc, row_number asc
    )
{%- endmacro %}
