"""Owners of sources and of what reads the data, against the recipients of a routing file."""

from reliability_platform.alerts.routing.declared import READER_OWNERS, SOURCE_OWNER, Routing
from reliability_platform.contracts import CONTRACTS
from reliability_platform.formats import joined
from reliability_platform.warehouse.dbt_manifest import ensure_manifest
from reliability_platform.warehouse.marts import read_manifest


def owners_without_recipient(routing: Routing) -> list[str]:
    """The owners that some route tells and that no recipient goes by, in words; each of them hears nothing as an owner."""
    told = {name for route in routing.routes for name in route.tell}
    found = []
    if SOURCE_OWNER in told:
        owned = [((one.owner,), name) for name, one in sorted(CONTRACTS.items())]
        found += [f"{said[0]}, owner of {name}" for said, name in owned if said[0] and not routing.meant(said)]
    if READER_OWNERS in told:
        for exposure in read_manifest(ensure_manifest())["exposures"].values():
            said = [one for one in (exposure["owner"].get("name"), exposure["owner"].get("email")) if one]
            if not routing.meant(said):
                found.append(f"{joined(said) or 'nobody in particular'}, owner of {exposure['name']}")
    return sorted(found)
