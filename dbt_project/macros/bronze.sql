{# Where bronze and reference files are. The home is asked for at run time, so that one parsed manifest serves any home.
   It may lie anywhere: brackets, `*` and `?` in its path are no pattern, and its `key=value` folders are no columns. #}

{% macro home() -%}
    {%- set beside = env_var('PWD', '.').removesuffix('/dbt_project') ~ '/data' -%}
    {%- set path = env_var('RELIABILITY_HOME', beside) | replace("'", "''") -%}
    {{ return(path | replace('[', '[[]') | replace('*', '[*]') | replace('?', '[?]')) }}
{%- endmacro %}

{# `days` are a pattern of landing days; who asks for those of the window says so, for each folder that fits is listed. #}
{% macro read_bronze(table, days='*') -%}
    {%- set tracked = source('bronze', table) -%}
    {#- In a dbt unit test the source is the hand-made rows of the test. -#}
    {%- if execute and '__dbt__cte__' not in (tracked | string) -%}
        {{ adapter.dispatch('read_bronze')(table, days) }}
    {%- else -%}
        {{ tracked }}
    {%- endif -%}
{%- endmacro %}

{% macro default__read_bronze(table, days) -%}
    {%- set folder = 'admissions/*' if table == 'admissions' else table -%}
    (
        select
            * exclude (filename),
            cast(regexp_extract(filename, 'landing_date=([0-9-]+)/[^/]*$', 1) as date) as landing_date
        from read_parquet(
            '{{ home() }}/bronze/{{ folder }}/landing_date={{ days }}/*.parquet',
            hive_partitioning = false, filename = true
        )
    ) as delivered_{{ table }}
{%- endmacro %}

{# Rows that have been dead letters before some build, whatever became of them. Written by the platform before each build. #}
{% macro read_dead_letters() -%} {{ return(adapter.dispatch('read_dead_letters')()) }} {%- endmacro %}
{% macro default__read_dead_letters() -%}
    read_parquet(
        '{{ home() }}/quarantine/*/landing_date=*/dead_letters.parquet', hive_partitioning = false, union_by_name = true
    )
{%- endmacro %}

{% macro read_reference(table) -%}
    {%- set tracked = source('reference', table) -%}
    {%- if execute and '__dbt__cte__' not in (tracked | string) -%} {{ adapter.dispatch('read_reference')(table) }} {%- else -%} {{ tracked }} {%- endif -%}
{%- endmacro %}
{% macro default__read_reference(table) -%} read_parquet('{{ home() }}/reference/{{ table }}.parquet', hive_partitioning = false) {%- endmacro %}
