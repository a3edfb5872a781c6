select
    currency,
    rate_date,
    rate_to_eur
from {{ read_reference('currency_rates') }}
