{{ config(materialized='view') }}

select * from {{ read_reference('merchants') }}
