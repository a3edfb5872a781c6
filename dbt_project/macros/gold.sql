{# The ledger of event dates that silver changed and gold has not yet seen. It survives a crash between the two. #}

{% macro ensure_touched_event_dates() %} {{ return(adapter.dispatch('ensure_touched_event_dates')()) }} {% endmacro %}
{% macro default__ensure_touched_event_dates() %}
    create table if not exists touched_event_dates (source varchar, event_date date)
{% endmacro %}

{# The event dates that a mart must rewrite: those touched by the sources of the silver models that it reads. #}
{% macro touched_dates() -%}
    {%- set source_names = [] -%}
    {%- for parent in model.depends_on.nodes if graph.nodes[parent].config.meta.source -%}
        {%- do source_names.append(graph.nodes[parent].config.meta.source) -%}
    {%- endfor -%}
    select event_date from touched_event_dates where source in ('{{ source_names | join("', '") }}')
{%- endmacro %}

{# Pre-hook of a mart: the touched dates are rewritten, and those that lost all their rows leave. #}
{% macro clear_touched_dates() %}
    {%- if execute and load_relation(this) is not none -%}
        delete from {{ this }} where event_date in ({{ touched_dates() }})
    {%- endif -%}
{% endmacro %}

{# The rows of silver that a mart must aggregate in this run. #}
{% macro in_touched_dates() -%}
    {%- if execute and is_incremental() -%} event_date in ({{ touched_dates() }}) {%- else -%} true {%- endif -%}
{%- endmacro %}

{# After a run: the ledger is emptied only if every published mart has been rebuilt in it. #}
{% macro settle_touched_event_dates() %}
    {%- if execute -%}
        {%- set wanted = graph.nodes.values() | selectattr('config.meta.published', 'defined') | map(attribute='unique_id') | list -%}
        {%- set built = results | selectattr('status', 'equalto', 'success') | map(attribute='node.unique_id') | list -%}
        {%- set waiting = wanted | reject('in', built) | list -%}
        {%- if wanted and not waiting -%} delete from touched_event_dates where true {%- endif -%}
    {%- endif -%}
{% endmacro %}
