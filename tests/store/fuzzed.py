"""Feeds the reader of manifests whatever may lie in a file.

`python -m tests.store.fuzzed 600` does so for ten minutes and prints how many manifests
were tried, and how many of them were read. The law: a manifest is read, and then is
byte for byte what was given, or refused with one `StoreError` of one line.
"""

import contextlib
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datainf.core.canonical import canonical_json, sha256_of
from datainf.core.errors import StoreError
from datainf.store.facts import describe_store
from datainf.store.parsing import read_manifest
from datainf.store.verify import verify
from tests.golden.make_golden import golden_store

GOOD = (golden_store("fp32") / "manifest.json").read_bytes()  # type: ignore[arg-type]
# What a writer of manifests might get wrong, or an attacker try.
NUMBERS = st.one_of(
    st.integers(-2, 9), st.integers(), st.sampled_from([2**31, 2**63, 10**30, -1])
)
TEXTS = st.one_of(
    st.text(max_size=9),
    st.sampled_from(
        [
            "../shard-00000.safetensors",
            "/etc/passwd",
            "shard-00001.safetensors",
            "shard-99999999999999999999.safetensors",
            "shard-" + "9" * 5000 + ".safetensors",
            "9" * 5000,
            "0",
            "index",
            "\ud800",
            "a\x00b",
            "fp16",
            "a" * 64,
        ]
    ),
)
LEAVES = st.one_of(st.none(), st.booleans(), NUMBERS, st.floats(), TEXTS)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)
    ),
    max_leaves=6,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value, as keys from the top."""
    found = [path]
    if isinstance(value, dict):
        items: Any = value.items()
    else:
        items = enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        found += places(item, (*path, key))
    return found


PLACES = places(json.loads(GOOD))[1:]


@st.composite
def changed(draw: Callable[..., Any]) -> bytes:
    """A real manifest with values replaced, removed or added; mostly well signed."""
    value = json.loads(GOOD)
    for path in draw(st.lists(st.sampled_from(PLACES), min_size=1, max_size=4)):
        with contextlib.suppress(LookupError, TypeError):  # an earlier change took it
            inside = value
            for key in path[:-1]:
                inside = inside[key]
            what = draw(st.sampled_from(["replace", "replace", "remove", "add"]))
            if isinstance(inside, dict) and path[-1] not in inside:
                continue  # it was a list
            if what == "remove":
                del inside[path[-1]]
            elif what == "add" and isinstance(inside, dict):
                inside[draw(TEXTS)] = draw(VALUES)
            else:
                inside[path[-1]] = draw(VALUES)
    if draw(st.integers(0, 5)):
        value.pop("checksum", None)
        with contextlib.suppress(ValueError):  # NaN, which JSON does not have
            return canonical_json({**value, "checksum": sha256_of(value)}).encode()
    return json.dumps(value, sort_keys=True, indent=2).encode()


@st.composite
def damaged(draw: Callable[..., Any]) -> bytes:
    """A real manifest with bytes overwritten, cut out or put in."""
    data = bytearray(GOOD)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        data[at : at + draw(st.integers(0, 9))] = draw(st.binary(max_size=9))
    return bytes(data)


MANIFESTS = st.one_of(changed(), changed(), damaged(), st.binary(max_size=99))


def survives(folder: Path, data: bytes) -> bool:
    """Read a manifest; say whether it was taken."""
    (folder / "manifest.json").write_bytes(data)
    faults = verify(folder).faults  # looks at all of it and never raises
    said = ""
    try:
        manifest = read_manifest(folder)
    except StoreError as error:
        said = str(error)
    if said:
        assert said.isprintable()
        assert faults
        return False
    assert manifest.to_bytes() == data
    assert describe_store(folder)["rows"] == manifest.rows
    return True


def main(seconds: float) -> None:
    """Fuzz for a while."""
    counts, began = Counter[bool](), time.monotonic()
    with tempfile.TemporaryDirectory() as name:

        @settings(
            max_examples=2000,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(MANIFESTS)
        def rounds(data: bytes) -> None:
            counts[survives(Path(name), data)] += 1

        while time.monotonic() - began < seconds:
            rounds()
    spent = time.monotonic() - began
    sys.stdout.write(
        f"{counts.total()} manifests in {spent:.0f} s: {counts[True]} read, "
        f"{counts[False]} refused with one line, none ended in another error\n"
    )


if __name__ == "__main__":
    main(float(sys.argv[1]))
