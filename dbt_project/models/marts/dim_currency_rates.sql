{{ config(materialized='view') }}

select * from {{ read_reference('currency_rates') }}
