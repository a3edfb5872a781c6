"""Reference data as a build finds them: what differs from the seal of its load is loaded again, or the build is refused.

They concern every day, so only the content that was loaded may take the place of what is damaged. A source that has
another one by now gives it to the next run, which loads and seals anew.
"""

from pathlib import PurePosixPath

from reliability_platform.atomic import make_way, write_atomically
from reliability_platform.contracts import CONTRACTS
from reliability_platform.damage import Damage, in_one_line, read_seal, what_is_wrong, written_as
from reliability_platform.errors import EnvironmentUnusableError
from reliability_platform.landing.reference import REFERENCE_TABLES, load_reference, reference_file, reference_seal
from reliability_platform.settings import Settings
from reliability_platform.sources.source import reference_files

REFERENCE = "reference data"
MEND = "`reliability restore --damaged` puts it back, or `reliability run` loads what the source has now"


def examine_reference(settings: Settings) -> list[Damage]:
    """What differs from the last load. Where an earlier release has loaded them, what the warehouse was built of and is
    not there any more.
    """
    try:
        files = read_seal(reference_seal(settings))
    except ValueError:
        name = reference_seal(settings).relative_to(settings.home).as_posix()
        return [Damage(REFERENCE, name, "is not what was written", MEND)]
    if files is None:
        paths = [reference_file(settings, name) for name in REFERENCE_TABLES] if settings.warehouse.exists() else []
        gone = [path.relative_to(settings.home).as_posix() for path in paths if not path.exists()]
        return [Damage(REFERENCE, name, "is missing", MEND) for name in gone]
    others = {one.sha256: PurePosixPath(name).name for name, one in files.items()}
    return [
        Damage(REFERENCE, name, words, MEND, one)
        for name, one in files.items()
        if (words := what_is_wrong(settings.home / name, one, others)) is not None
    ]


def load_damaged_again(settings: Settings) -> list[Damage]:
    """Put back what the source still gives as it was loaded; returns what was damaged."""
    found = examine_reference(settings)
    if not found:
        return []
    there = reference_files(settings)
    if any(one.written is None for one in found):  # nobody knows any more what was loaded
        load_reference(settings, there)
    for one in found:
        content, path = there.get(PurePosixPath(one.path).stem), settings.home / one.path
        if content is not None and written_as(content) == one.written:
            make_way(path)
            write_atomically(path, content)
    return found


def tables_absent(settings: Settings) -> list[str]:
    """The tables to which contracts refer and that are nowhere, each with what to do."""
    return [
        f"{source} refers to {one.references}, and there is no table {one.references.table}: put it as Parquet into "
        f"reference/{one.references.table}.parquet of the project, or take the reference out of the contract"
        for source, contract in CONTRACTS.items()
        for one in contract.columns
        if one.references is not None
        and one.references.table not in CONTRACTS
        and not reference_file(settings, one.references.table).exists()
    ]


def ensure_sound_reference(settings: Settings) -> list[Damage]:
    """Load again what is damaged before it is built from; returns what was.

    Raises `EnvironmentUnusableError`, naming the file, if the source does not give it as it was any more.
    """
    found = load_damaged_again(settings)
    absent = tables_absent(settings)
    if absent:
        raise EnvironmentUnusableError(f"Nothing was built: {absent[0]}.")
    left = examine_reference(settings) if found else []
    if left:
        raise EnvironmentUnusableError(f"Nothing was built: {in_one_line(left, 1)}.")
    return found
