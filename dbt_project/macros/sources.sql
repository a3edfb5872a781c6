{# What models that treat all sources alike know of each, as its contract has it; a test compares them. #}

{% macro keys_of_sources() -%}
    {{ return({'orders': 'order_id', 'payments': 'payment_id', 'web_events': 'event_id', 'shipments': 'shipment_event_id'}) }}
{%- endmacro %}

{% macro columns_of(source_name) -%}
    {{ return({
        'orders': [
            'order_id', 'customer_id', 'merchant_id', 'product_id', 'quantity', 'amount', 'currency', 'channel', 'event_time'
        ],
        'payments': [
            'payment_id', 'order_id', 'customer_id', 'method', 'status', 'amount', 'currency', 'event_time'
        ],
        'web_events': [
            'event_id', 'session_id', 'customer_id', 'event_type', 'product_id', 'payload', 'event_time'
        ],
        'shipments': [
            'shipment_event_id', 'shipment_id', 'order_id', 'carrier', 'status', 'weight_grams', 'ordered_at', 'promised_at',
            'event_time'
        ],
    }[source_name]) }}
{%- endmacro %}
