{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='append_new_columns',
        pre_hook="{{ clear_window() }}"
    )
}}

{{ dead_letters('orders', 'order_id', ['order_id', 'customer_id', 'merchant_id', 'product_id', 'quantity', 'amount', 'currency', 'channel', 'event_time']) }}
union all
{{ dead_letters('payments', 'payment_id', ['payment_id', 'order_id', 'customer_id', 'method', 'status', 'amount', 'currency', 'event_time']) }}
union all
{{ dead_letters('web_events', 'event_id', ['event_id', 'session_id', 'customer_id', 'event_type', 'product_id', 'payload', 'event_time']) }}
union all
{{ dead_letters('shipments', 'shipment_event_id', ['shipment_event_id', 'shipment_id', 'order_id', 'carrier', 'status', 'weight_grams', 'ordered_at', 'promised_at', 'event_time']) }}
