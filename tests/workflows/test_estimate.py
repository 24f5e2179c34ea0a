"""The estimate of a collection, and how sizes and times read."""

import re
import resource
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import torch

from datainf.capture.session import CaptureSession
from datainf.core.batch import plan_batches
from datainf.core.layout import Layout
from datainf.core.options import CollectOptions
from datainf.integrations.peft import adapter_of
from datainf.workflows.estimate import (
    Estimate,
    estimate,
    factor_bytes,
    human_bytes,
    human_seconds,
    peak_memory,
    store_bytes,
)
from datainf.workflows.rows import Rows
from tests.cases import LENGTHS, decoder
from tests.workflows.collecting import ROWS, Watched

N = len(LENGTHS)
LAYOUT = Layout.from_shapes({"a": (2, 5), "b": (3,)})
FOUND = Estimate(
    rows=1009,
    blocks=13,
    parameters=7919,
    disk_bytes=3 * 2**20,
    memory_bytes=5 * 2**30,
    device_bytes=0,
    seconds=75.0,
    truncated=0,
)


def rows_of(lengths: Any, *, text: bool = True) -> Rows:
    table = pd.DataFrame({"index": range(len(lengths)), "hash": "0", "tokens": lengths})
    if text:
        table["text"] = ["x" * n for n in lengths]
    return Rows(list(ROWS), table, 0)


@pytest.mark.parametrize(
    ("dtype", "width", "scales"),
    [("fp32", 4, 0), ("bf16", 2, 0), ("fp16", 2, 0), ("int8", 1, 2 * 4)],
)
def test_the_store_holds_numbers_norms_loss_index_and_texts(dtype, width, scales):
    row = 13 * width + scales + 2 * 8 + 16
    assert store_bytes(rows_of(LENGTHS), LAYOUT, dtype) == N * row + sum(LENGTHS)
    assert store_bytes(rows_of(LENGTHS, text=False), LAYOUT, dtype) == N * row


def test_factors_are_two_squares_a_block_where_it_has_them():
    assert factor_bytes(LAYOUT, {"b"}) == 4 * (2 * 2 + 5 * 5)
    plain, _ = estimated(CollectOptions())
    found, _ = estimated(CollectOptions(factors=True))
    model = decoder()
    task = Watched()
    with CaptureSession(model, adapter_of(model), task) as session:
        size = factor_bytes(adapter_of(model).layout, session.unfactored)
    assert found.disk_bytes - plain.disk_bytes == size > 0


def estimated(options: CollectOptions, **changes: Any) -> tuple[Estimate, Watched]:
    model, task = decoder(), Watched()
    adapter = adapter_of(model)
    with CaptureSession(model, adapter, task) as session:
        found = estimate(
            session,
            task,
            replace(rows_of(LENGTHS), truncated=2),
            layout=adapter.layout,
            options=options,
            **{"shard_rows": 5, **changes},
        )
    return found, task


def test_it_runs_the_longest_batch_first_and_a_few_others():
    found, task = estimated(CollectOptions(batch_tokens=17))
    # 13 | 11 | 7 5 | 3 of the first shard, 17 | 2 of the second: each second by size.
    assert task.told.of("pass") == [(1, 17), (1, 13), (1, 3)]
    assert (found.rows, found.blocks, found.parameters) == (7, 8, 224)
    assert found.truncated == 2
    assert found.disk_bytes == 7 * (4 * 224 + 8 * 8 + 16) + sum(LENGTHS)


def test_the_time_grows_with_the_padded_tokens_of_the_whole_plan(monkeypatch):
    clock = iter(range(100))
    monkeypatch.setattr(
        "datainf.workflows.estimate.time",
        SimpleNamespace(perf_counter=lambda: float(next(clock))),
    )
    found, _ = estimated(CollectOptions(batch_tokens=17))
    whole = 13 + 11 + 2 * 7 + 3 + 17 + 2
    assert found.seconds == pytest.approx(3.0 * whole / (17 + 13 + 3))
    # The plan is that of collect: batches that do not cross a shard.
    parts = [LENGTHS[:5], LENGTHS[5:]]
    plans = [(part, batch) for part in parts for batch in plan_batches(part, 17)]
    padded = [len(batch) * max(part[i] for i in batch) for part, batch in plans]
    assert sum(padded) == whole


def test_a_single_batch_is_enough():
    found, task = estimated(CollectOptions(batch_tokens=10**6), shard_rows=100)
    assert task.told.of("pass") == [(7, 17)]
    assert found.seconds > 0


def test_memory_is_the_peak_so_far_and_twice_a_shard(monkeypatch):
    monkeypatch.setattr("datainf.workflows.estimate.peak_memory", lambda: 1000)
    found, _ = estimated(CollectOptions())
    assert found.memory_bytes == 1000 + 2 * 5 * 224 * 4
    assert estimated(CollectOptions(), shard_rows=100)[0].memory_bytes == (
        1000 + 2 * 7 * 224 * 4
    )


def test_memory_of_an_accelerator_is_told_where_there_is_one(monkeypatch):
    reset = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(
        torch.cuda, "reset_peak_memory_stats", lambda: reset.append(True)
    )
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: 3 * 2**30)
    found, _ = estimated(CollectOptions())
    assert found.device_bytes == 3 * 2**30
    assert reset == [True]
    assert found.facts()["accelerator"] == "3.0 GiB at most"


def test_the_facts_read_as_sentences_do():
    assert replace(FOUND, truncated=1001).facts() == {
        "rows": "1,009 (1,001 cut at the length limit)",
        "blocks": "13 of 7,919 parameters together",
        "disk": "3.0 MiB",
        "memory": "5.0 GiB at most",
        "time": "1 min 15 s",
    }


@pytest.mark.parametrize(("platform", "unit"), [("linux", 1024), ("darwin", 1)])
def test_the_peak_is_in_bytes_on_any_system(monkeypatch, platform, unit):
    def usage(who):
        assert who == resource.RUSAGE_SELF
        return SimpleNamespace(ru_maxrss=7919)

    monkeypatch.setattr(resource, "getrusage", usage)
    monkeypatch.setattr(sys, "platform", platform)
    assert peak_memory() == 7919 * unit


def test_the_peak_is_what_the_system_says():
    text = Path("/proc/self/status").read_text(encoding="utf-8")
    status = re.search(r"VmHWM:\s+(\d+) kB", text)
    assert status is not None
    assert peak_memory() == pytest.approx(int(status[1]) * 1024, rel=0.05)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (5 * 2**20, "5.0 MiB"),
        (3 * 2**30, "3.0 GiB"),
        (7 * 2**40, "7.0 TiB"),
        (2000 * 2**40, "2000.0 TiB"),
    ],
)
def test_bytes_are_written_in_the_largest_fitting_unit(count, text):
    assert human_bytes(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (10.2, "10 s"),
        (59.4, "59 s"),
        (60.0, "1 min 0 s"),
        (3599.6, "1 h 0 min"),
        (7384.0, "2 h 3 min"),
    ],
)
def test_times_are_written_in_two_units_at_most(seconds, text):
    assert human_seconds(seconds) == text
