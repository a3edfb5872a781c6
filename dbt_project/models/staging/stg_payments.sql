{# Why a row of payments is rejected; a row may have several reasons. #}
{% set rules = {
    'payment_id_missing': "live.payment_id is null",
    'order_id_missing': "live.order_id is null",
    'customer_id_missing': "live.customer_id is null",
    'method_missing': "live.method is null",
    'status_missing': "live.status is null",
    'amount_missing': "live.amount is null",
    'currency_missing': "live.currency is null",
    'customer_id_unknown_reference': "live.customer_id is not null and customers.customer_id is null",
    'amount_out_of_range': "live.amount not between 0.01 and 100000",
    'currency_unknown_value': "live.currency not in ('EUR', 'USD', 'GBP', 'CHF', 'SEK', 'PLN')",
    'method_unknown_value': "live.method not in ('card', 'paypal', 'transfer', 'wallet')",
    'status_unknown_value': "live.status not in ('captured', 'declined')",
} %}
{% do rules.update(event_time_rules()) %}
{% set columns = [
    'payment_id', 'order_id', 'customer_id', 'method', 'status', 'amount', 'currency', 'event_time'
] %}
{% set references = {'customer_id': 'customers'} %}

{{ staged('payments', 'payment_id', columns, rules, references) }}
