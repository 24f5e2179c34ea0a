"""Whatever lies in manifest.json, it is read as it is or refused with one line."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings

from datainf.core.canonical import canonical_json
from tests.store.fuzzed import GOOD, MANIFESTS, survives


@settings(max_examples=400, deadline=None, derandomize=True)
@given(MANIFESTS)
def test_a_manifest_is_read_to_the_byte_or_refused_with_one_line(data):
    with tempfile.TemporaryDirectory() as folder:
        survives(Path(folder), data)


def test_the_manifest_that_is_changed_is_a_good_one(tmp_path):
    assert survives(tmp_path, GOOD)


@pytest.mark.parametrize("depth", [10, 10_000, 1_000_000])
def test_deep_nesting_is_refused_with_one_line(tmp_path, depth):
    assert not survives(tmp_path, b"[" * depth + b"]" * depth)
    assert not survives(tmp_path, canonical_json({"a" * depth: 1}).encode())
