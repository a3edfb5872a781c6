{# Why a row of web_events is rejected; a row may have several reasons. #}
{% set rules = {
    'event_id_missing': "live.event_id is null",
    'session_id_missing': "live.session_id is null",
    'event_type_missing': "live.event_type is null",
    'event_type_unknown_value': "live.event_type not in ('page_view', 'product_view', 'add_to_cart', 'checkout', 'purchase')",
    'payload_malformed': is_malformed("live.payload"),
    'payload_poisonous': is_poisonous("live.payload"),
    'payload_personal_data': holds_personal_data("live.payload"),
} %}
{% do rules.update(event_time_rules()) %}
{% set columns = [
    'event_id', 'session_id', 'customer_id', 'event_type', 'product_id', 'payload', 'event_time'
] %}
{% set shown = {'payload': "case when " ~ holds_personal_data('payload') ~ " then 'masked: personal data' else payload end"} %}

{{ staged('web_events', 'event_id', columns, rules, shown=shown) }}
