{{
    config(
        unique_key='order_id',
        pre_hook="{{ forget_old_winners('orders', 'order_id') }}",
        post_hook="{{ note_new_winners('orders', 'order_id') }}"
    )
}}

{{ winners(
    'orders',
    'order_id',
    ['order_id', 'customer_id', 'merchant_id', 'product_id', 'quantity', 'amount', 'currency', 'channel', 'event_time']
) }}
