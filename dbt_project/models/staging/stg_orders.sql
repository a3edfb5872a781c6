{# Why a row of orders is rejected; a row may have several reasons. #}
{% set rules = {
    'order_id_missing': "live.order_id is null",
    'customer_id_missing': "live.customer_id is null",
    'merchant_id_missing': "live.merchant_id is null",
    'product_id_missing': "live.product_id is null",
    'quantity_missing': "live.quantity is null",
    'amount_missing': "live.amount is null",
    'currency_missing': "live.currency is null",
    'channel_missing': "live.channel is null",
    'customer_id_unknown_reference': "live.customer_id is not null and customers.customer_id is null",
    'merchant_id_unknown_reference': "live.merchant_id is not null and merchants.merchant_id is null",
    'product_id_unknown_reference': "live.product_id is not null and products.product_id is null",
    'quantity_out_of_range': "live.quantity not between 1 and 1000",
    'amount_out_of_range': "live.amount not between 0.01 and 100000",
    'currency_unknown_value': "live.currency not in ('EUR', 'USD', 'GBP', 'CHF', 'SEK', 'PLN')",
    'channel_unknown_value': "live.channel not in ('web', 'app', 'store')",
} %}
{% do rules.update(event_time_rules()) %}
{% set columns = [
    'order_id', 'customer_id', 'merchant_id', 'product_id', 'quantity', 'amount', 'currency', 'channel', 'event_time'
] %}
{% set references = {'customer_id': 'customers', 'merchant_id': 'merchants', 'product_id': 'products'} %}

{{ staged('orders', 'order_id', columns, rules, references) }}
