{{
    config(
        unique_key='payment_id',
        pre_hook="{{ forget_old_winners('payments', 'payment_id') }}",
        post_hook="{{ note_new_winners('payments', 'payment_id') }}"
    )
}}

{{ winners(
    'payments',
    'payment_id',
    ['payment_id', 'order_id', 'customer_id', 'method', 'status', 'amount', 'currency', 'event_time']
) }}
