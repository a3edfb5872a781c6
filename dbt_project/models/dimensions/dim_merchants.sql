select
    merchant_id,
    category,
    country
from {{ read_reference('merchants') }}
