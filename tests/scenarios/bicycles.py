"""A dbt project in the style of somebody who has never heard of the platform: layers, schemas and aliases of its own, a local
package, an ephemeral model, an incremental one, a snapshot, a disabled model, a seed, tests of each kind, an exposure.
"""

from datetime import date, timedelta
from pathlib import Path

DAYS = tuple(date(2024, 6, 1) + timedelta(days=number) for number in range(3))
STATIONS = ("north", "harbour", "market")

FILES = {
    "dbt_project.yml": """\
name: bicycles
version: "2.1"
profile: city
model-paths: [layers]
seed-paths: [lists]
test-paths: [assertions]
macro-paths: [jinja]
snapshot-paths: [history]
require-dbt-version: ">=1.8.0,<2.0.0"
vars: {longest_ride_minutes: 600}
models:
  bicycles:
    serve: {+materialized: table, +schema: serve}
""",
    "profiles.yml": """\
city:
  target: dev
  outputs:
    dev: {type: duckdb, path: city.duckdb, schema: city}
""",
    "packages.yml": "packages:\n  - local: own_packages/durations\n",
    "own_packages/durations/dbt_project.yml": "name: durations\nversion: '1.0'\nmacro-paths: [macros]\n",
    "own_packages/durations/macros/minutes.sql": """\
{% macro minutes(started, ended) -%} date_diff('minute', {{ started }}, {{ ended }}) {%- endmacro %}
""",
    "jinja/generate_schema_name.sql": """\
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ custom_schema_name or target.schema }}
{%- endmacro %}
""",
    "lists/stations.csv": "station,district\nnorth,outer\nharbour,inner\n",
    "elsewhere/weather.csv": "day,rain\n2024-06-01,true\n",
    "layers/sources.yml": """\
sources:
  - name: depot
    schema: depot_raw
    tables:
      - name: rides
        identifier: ride_log
        columns:
          - name: ride
            data_tests: [unique]
      - name: bikes
      - name: never_read
      - name: weather
        meta: {external_location: "elsewhere/{name}.csv"}
""",
    "layers/clean/rides_clean.sql": """\
select ride, bike, station, "event date" as ridden_on, {{ durations.minutes('started', 'ended') }} as minutes
from {{ source('depot', 'rides') }}
""",
    "layers/clean/long_rides.sql": """\
{{ config(materialized='ephemeral') }}
select * from {{ ref('rides_clean') }} where minutes > {{ var('longest_ride_minutes') }}
""",
    "layers/clean/rides_kept.sql": """\
{{ config(materialized='incremental', unique_key='ride') }}
select * from {{ ref('rides_clean') }} where ride not in (select long_rides.ride from {{ ref('long_rides') }} as long_rides)
{% if is_incremental() %} and ridden_on > (select max(kept.ridden_on) from {{ this }} as kept) {% endif %}
""",
    "layers/clean/off.sql": "{{ config(enabled=false) }}\nselect * from {{ ref('nothing_of_that_name') }}\n",
    "layers/serve/daily.sql": """\
{{ config(alias='rides_by_day', meta={'published': true, 'event_date': 'ridden_on'}) }}
select ridden_on, station, count(*) as rides, sum(minutes) as minutes
from {{ ref('rides_kept') }} group by all
""",
    "layers/serve/stations_served.sql": """\
{{ config(meta={'published': true}) }}
select stations.station, stations.district, count(rides.ride) as rides, max(bikes.modelName) as newest
from {{ ref('stations') }} as stations
left join {{ ref('rides_kept') }} as rides on stations.station = rides.station
left join {{ source('depot', 'bikes') }} as bikes on rides.bike = bikes.bike
group by all
""",
    "layers/serve/bikes_over_time.sql": """\
{{ config(meta={'published': true}) }}
select bike, rides, dbt_valid_from as since from {{ ref('bike_use') }}
""",
    "history/bike_use.sql": """\
{% snapshot bike_use %}
{{ config(unique_key='bike', strategy='check', check_cols=['rides']) }}
select bike, count(*) as rides from {{ ref('rides_kept') }} group by bike
{% endsnapshot %}
""",
    "layers/serve/by-district.sql": """\
{{ config(group='city-hall') }}
select district, sum(rides) as rides, (select count(*) from {{ source('depot', 'weather') }}) as days_of_rain
from {{ ref('stations_served') }} group by district
""",
    "layers/models.yml": """\
groups:
  - name: city-hall
    owner: {name: City Hall}
models:
  - name: by-district
    columns:
      - name: rides
        data_tests:
          - not_null: {name: rides-are-counted}
  - name: rides_clean
    columns:
      - name: station
        data_tests:
          - not_null
          - relationships:
              arguments: {to: ref('stations'), field: station}
              config: {where: "minutes > 1", store_failures: true}
      - name: minutes
        data_tests:
          - accepted_values:
              arguments: {values: [5, 10], quote: false}
              config: {severity: warn}
  - name: stations_served
    columns:
      - name: station
        data_tests: [unique]
exposures:
  - name: city_hall
    type: dashboard
    owner: {name: City Hall}
    depends_on: [ref('daily')]
""",
    "assertions/no_ride_ends_before_it_begins.sql": "select * from {{ ref('rides_clean') }} where minutes < 0\n",
}  # fmt: skip


def write_project(folder: Path) -> None:
    """The project, and its package installed as `dbt deps` does it: a link."""
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "dbt_packages").mkdir()
    (folder / "dbt_packages" / "durations").symlink_to("../own_packages/durations", target_is_directory=True)


def deliver(folder: Path) -> None:
    """Three days of rides, a file a day; on the first one rides begin at a station that nobody has listed."""
    folder.mkdir()
    for number, day in enumerate(DAYS):
        rows = [
            f"{number * 100 + ride},{ride % 7},{STATIONS[ride % (3 if day == DAYS[0] else 2)]},{day} 08:{ride % 60:02}:00,"
            f"{day} 09:{ride % 60:02}:00,{day}"
            for ride in range(60)
        ]
        text = "\n".join(["ride,bike,station,started,ended,event date", *rows])
        (folder / f"rides-{day}.csv").write_text(f"{text}\n")
    (folder / "bikes.csv").write_text("bike,modelName\n" + "".join(f"{bike},M{bike}\n" for bike in range(7)))
