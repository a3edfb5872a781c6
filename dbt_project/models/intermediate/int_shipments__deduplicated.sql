{{
    config(
        unique_key='shipment_event_id',
        pre_hook="{{ forget_old_winners('shipments', 'shipment_event_id') }}",
        post_hook="{{ note_new_winners('shipments', 'shipment_event_id') }}"
    )
}}

{{ winners(
    'shipments',
    'shipment_event_id',
    ['shipment_event_id', 'shipment_id', 'order_id', 'carrier', 'status', 'weight_grams', 'ordered_at', 'promised_at', 'event_time']
) }}
