{# What free text must not be. #}

{# A mail address, or 13 to 19 digits as card numbers have them: they begin with 2 to 6 (ISO/IEC 7812), which milliseconds since
   1970 do not, and are no fraction of a number, as 0.5488135039273248. The cheap test goes first. #}
{% macro holds_personal_data(column) -%}
    coalesce(
        ({{ contains_text(column, '@') }} and {{ matches(column, '[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+[.][A-Za-z]') }})
        or {{ matches(column, '(^|[^0-9.])[2-6]([ -]?[0-9]){12,18}') }},
        false
    )
{%- endmacro %}
