"""The facts that `datainf inspect` shows."""

import json

from datainf.store.facts import describe_store
from tests.store.stores import COVERAGE, files, opened, write_store


def test_the_facts_of_a_finished_store(tmp_path):
    path = tmp_path / "store"
    write_store(path, "bf16")
    facts = describe_store(path)
    assert facts == {
        "path": str(path),
        "complete": True,
        "rows": 7,
        "blocks": 2,
        "parameters": 13,
        "numbers": 13,
        "dtype": "bf16",
        "projection": "none",
        "bytes": sum(len(data) for data in files(path).values()),
        "shards": "3 of 3",
        "shard_rows": 3,
        "halvings": 2,
        "base": "b" * 64,
        "adapter": "a" * 64,
        "data": "d" * 64,
        "task": {"name": "causal-lm", "max_length": 128, "turns": ["all"]},
        "about": {"model": "tiny"},
        "collected": "all",
        "output": "loss",
        "batch_tokens": 64,
        "text": True,
        "excluded": [],
        "coverage": COVERAGE,
        "library_version": "0.1.0",
        "format_version": 1,
    }
    assert json.loads(json.dumps(facts)) == facts


def test_an_unfinished_store_has_facts_too(tmp_path):
    opened(tmp_path / "store").close()
    facts = describe_store(tmp_path / "store")
    assert (facts["complete"], facts["shards"]) == (False, "0 of 3")
