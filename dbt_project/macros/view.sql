{# A view is put in the place of the one before in one statement. dbt makes it under another name, renames both and drops the
   old one: six statements for each view of each build. #}
{% materialization view, adapter='duckdb' -%}
    {%- set existing, target = load_cached_relation(this), this.incorporate(type='view') -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {%- if existing is not none and not existing.is_view -%} {%- do adapter.drop_relation(existing) -%} {%- endif -%}
    {%- call statement('main') -%}
        {{ config.get('sql_header') or '' }}
        {%- if config.get('contract').enforced -%} {{ get_assert_columns_equivalent(sql) }} {%- endif %}
        create or replace view {{ target }} as (
            {{ sql }}
        )
    {%- endcall -%}
    {%- do persist_docs(target, model) -%}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {%- do adapter.commit() -%}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target]}) }}
{%- endmaterialization %}
