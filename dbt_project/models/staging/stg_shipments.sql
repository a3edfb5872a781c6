{# Why a row of shipments is rejected; a row may have several reasons. #}
{% set rules = {
    'shipment_event_id_missing': "live.shipment_event_id is null",
    'shipment_id_missing': "live.shipment_id is null",
    'order_id_missing': "live.order_id is null",
    'carrier_missing': "live.carrier is null",
    'status_missing': "live.status is null",
    'weight_grams_missing': "live.weight_grams is null",
    'carrier_unknown_value': "live.carrier not in ('dhl', 'ups', 'fedex', 'postnord')",
    'status_unknown_value': "live.status not in ('shipped', 'delivered', 'returned')",
    'weight_grams_out_of_range': "live.weight_grams not between 1 and 100000",
} %}
{% do rules.update(event_time_rules()) %}
{% set columns = [
    'shipment_event_id', 'shipment_id', 'order_id', 'carrier', 'status', 'weight_grams', 'ordered_at', 'promised_at', 'event_time'
] %}

{{ staged('shipments', 'shipment_event_id', columns, rules, moments=['event_time', 'ordered_at', 'promised_at']) }}
