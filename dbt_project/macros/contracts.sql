{# Generated from contracts/*.yml by `reliability generate`: change that, not this (eaadd562e321). #}
{# What models that treat all sources alike know of each, as its contract has it. #}

{% macro keys_of_sources() -%}
    {{ return({
        'orders': ['order_id'],
        'payments': ['payment_id'],
        'shipments': ['shipment_event_id'],
        'web_events': ['event_id'],
    }) }}
{%- endmacro %}

{% macro columns_of(source_name) -%}
    {{ return({
        'orders': [
            'order_id',
            'customer_id',
            'merchant_id',
            'product_id',
            'quantity',
            'amount',
            'currency',
            'channel',
            'event_time',
        ],
        'payments': [
            'payment_id',
            'order_id',
            'customer_id',
            'method',
            'status',
            'amount',
            'currency',
            'event_time',
        ],
        'shipments': [
            'shipment_event_id',
            'shipment_id',
            'order_id',
            'carrier',
            'status',
            'weight_grams',
            'ordered_at',
            'promised_at',
            'event_time',
        ],
        'web_events': [
            'event_id',
            'session_id',
            'customer_id',
            'event_type',
            'product_id',
            'payload',
            'event_time',
        ],
    }[source_name]) }}
{%- endmacro %}

{# What is no text, whole number or truth value; engines write it into JSON differently. #}
{% macro types_of(source_name) -%}
    {{ return({
        'orders': {
            'amount': 'decimal',
            'event_time': 'timestamp',
        },
        'payments': {
            'amount': 'decimal',
            'event_time': 'timestamp',
        },
        'shipments': {
            'ordered_at': 'timestamp',
            'promised_at': 'timestamp',
            'event_time': 'timestamp',
        },
        'web_events': {
            'event_time': 'timestamp',
        },
    }[source_name]) }}
{%- endmacro %}

{# How a column may be shown: `personal` not at all, `free_text` by its length, `label` unless its value is unknown. #}
{% macro shown_as(source_name) -%}
    {{ return({
        'orders': {
            'customer_id': 'personal',
            'currency': 'label',
            'channel': 'label',
        },
        'payments': {
            'customer_id': 'personal',
            'method': 'label',
            'status': 'label',
            'currency': 'label',
        },
        'shipments': {
            'carrier': 'label',
            'status': 'label',
        },
        'web_events': {
            'customer_id': 'personal',
            'event_type': 'label',
            'payload': 'free_text',
        },
    }[source_name]) }}
{%- endmacro %}

{# Source of an own dbt project as `source.table` → the model of the platform that stands for it. #}
{% macro feeds() -%}
    {{ return({
    }) }}
{%- endmacro %}
