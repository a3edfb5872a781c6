{{
    config(
        unique_key='event_id',
        pre_hook="{{ forget_old_winners('web_events', 'event_id') }}",
        post_hook="{{ note_new_winners('web_events', 'event_id') }}"
    )
}}

{{ winners(
    'web_events',
    'event_id',
    ['event_id', 'session_id', 'customer_id', 'event_type', 'product_id', 'payload', 'event_time']
) }}
