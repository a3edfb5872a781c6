"""Iceberg's jars for a Spark of tests, from what the package index holds: no Maven.

The wheel `snowpark-connect-deps-iceberg` brings Iceberg's runtime without the Jackson classes that belong in it under another
name. They are made of pyspark's own Jackson: in a class file every name is an entry of its constant pool (The Java Virtual
Machine Specification, section 4.4), so each entry that names a class of Jackson is written anew.
"""

import struct
import zipfile
from importlib.resources import files
from pathlib import Path

_OLD, _NEW = b"com/fasterxml/jackson", b"org/apache/iceberg/shaded/com/fasterxml/jackson"
_UTF8 = 1
_SIZES = {3: 4, 4: 4, 5: 8, 6: 8, 7: 2, 8: 2, 9: 4, 10: 4, 11: 4, 12: 4, 15: 3, 16: 2, 17: 4, 18: 4, 19: 2, 20: 2}
"""Bytes of an entry of the constant pool after its tag, by the tag."""
_WIDE = {5, 6}
"""Long and double take two places."""


def iceberg_jars(folder: Path) -> list[Path]:
    """Those that `spark.jars` names; what is made goes into `folder`."""
    runtime = Path(str(files("snowpark_connect_deps_iceberg"))) / "jars"
    made = folder / "iceberg-jackson.jar"
    if not made.exists():
        _relocate(Path(str(files("pyspark"))) / "jars", made)
    return [next(runtime.glob("iceberg-spark-runtime-3.5_2.12-*.jar")), made]


def _relocate(jars: Path, made: Path) -> None:
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as target:
        for name in ("core", "databind", "annotations"):
            with zipfile.ZipFile(next(jars.glob(f"jackson-{name}-[0-9]*.jar"))) as source:
                for entry in source.namelist():
                    if entry.endswith(".class") and entry.encode().startswith(_OLD):
                        target.writestr(entry.replace(_OLD.decode(), _NEW.decode(), 1), _renamed(source.read(entry)))


def _renamed(content: bytes) -> bytes:
    """A class file with the names of its constant pool written anew."""
    count = struct.unpack_from(">H", content, 8)[0]
    pool, place, number = [], 10, 1
    while number < count:
        tag = content[place]
        if tag == _UTF8:
            length = struct.unpack_from(">H", content, place + 1)[0]
            text = content[place + 3 : place + 3 + length]
            text = text.replace(_OLD, _NEW).replace(_OLD.replace(b"/", b"."), _NEW.replace(b"/", b"."))
            pool.append(struct.pack(">BH", _UTF8, len(text)) + text)
            place += 3 + length
        else:
            size = _SIZES[tag]
            pool.append(content[place : place + 1 + size])
            place += 1 + size
        number += 2 if tag in _WIDE else 1
    return content[:10] + b"".join(pool) + content[place:]
