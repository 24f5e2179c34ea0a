"""Records: a cell is measured once, whatever kills the experiment in between."""

import json
import resource
import signal

import pytest

from datainf.core.errors import StoreBusyError, StoreError
from datainf.experiments import records
from datainf.experiments.records import Records, alone_in

MADE = {"datainf": "0.1", "machine": "2-core CPU"}


def test_a_cell_is_measured_once_and_read_again(tmp_path):
    path, calls = tmp_path / "new" / "r.jsonl", []

    def measure():
        calls.append(1)
        return {"auc": 0.1 + 0.2}

    for _ in range(2):
        found = Records(path, MADE).cell({"seed": 1, "rank": 2}, measure)
        assert found == {"auc": 0.1 + 0.2}
    assert len(calls) == 1
    assert {"rank": 2, "seed": 1} in Records(path, MADE)
    assert {"rank": 2, "seed": 2} not in Records(path, MADE)
    assert Records(path, MADE).get({"seed": 1, "rank": 2}) == {"auc": 0.1 + 0.2}
    assert Records(path, MADE).get({"seed": 2, "rank": 2}) is None


@pytest.mark.parametrize("kept", [1, 7, 40, -1])
def test_half_a_last_line_is_dropped_and_its_cell_measured_again(tmp_path, kept):
    path = tmp_path / "r.jsonl"
    first = Records(path, MADE)
    first.add({"seed": 0}, {"x": 1})
    whole = path.read_bytes()
    first.add({"seed": 1}, {"x": 2})
    path.write_bytes(whole + path.read_bytes()[len(whole) :][:kept])
    again = Records(path, MADE)
    assert (len(again), {"seed": 1} in again) == (1, False)
    again.add({"seed": 1}, {"x": 3})
    assert Records(path, MADE)[{"seed": 1}] == {"x": 3}


def test_a_damaged_line_is_refused_by_its_number(tmp_path):
    path = tmp_path / "r.jsonl"
    Records(path, MADE).add({"seed": 0}, {})
    path.write_bytes(b"{}\n" + path.read_bytes())
    with pytest.raises(StoreError) as refused:
        Records(path, MADE)
    assert str(refused.value) == (
        f"line 1 of {path} is no record; remove that line, its cell is then measured "
        "again."
    )


def test_the_makers_of_cells_are_told_once(tmp_path):
    path = tmp_path / "r.jsonl"
    keys = [{"seed": seed} for seed in range(3)]
    for key, version in zip(keys, ("0.1", "0.2", "0.1"), strict=True):
        Records(path, {**MADE, "datainf": version}).add(key, {})
    assert Records(path, MADE).makers([*keys, {"seed": 9}]) == [
        "datainf 0.1; 2-core CPU",
        "datainf 0.2; 2-core CPU",
    ]
    assert json.loads(path.read_text().splitlines()[1])["made"]["datainf"] == "0.2"


def test_a_disk_that_takes_half_a_line_is_told(tmp_path):
    """A write may take less than was given, as on a disk that is full."""
    path = tmp_path / "r.jsonl"
    found = Records(path, MADE)
    found.add({"seed": 0}, {"x": 1})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    former = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 7, hard))
    try:
        with pytest.raises(OSError, match="too large"):
            found.add({"seed": 1}, {"x": 2})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, former)
    assert {"seed": 1} not in found
    assert len(Records(path, MADE)) == 1


def test_what_another_process_adds_stands_in_the_file_and_is_learned(tmp_path):
    first = Records(tmp_path / "r.jsonl", MADE)
    first.add({"seed": 0}, {"x": 1})
    second = Records.growing(first.path, MADE)
    second.add({"seed": 1}, {"x": 2}, seconds=3.0)
    assert len(second) == 1
    assert {"seed": 1} not in first
    first.learn(second)
    assert first[{"seed": 1}] == {"x": 2}
    assert len(Records(first.path, MADE)) == len(first) == 2


def test_a_cell_that_is_measured_on_demand_is_timed(tmp_path, monkeypatch):
    clock = iter((100.0, 103.5))
    monkeypatch.setattr(records, "perf_counter", lambda: next(clock))
    found = Records(tmp_path / "r.jsonl", MADE)
    assert found.cell({"seed": 0}, lambda: {"x": 1}) == {"x": 1}
    assert found.cell({"seed": 0}, lambda: {"x": 2}) == {"x": 1}
    assert found.seconds({"seed": 0}) == 3.5


def test_seconds_are_added_up_over_the_cells_that_are_there(tmp_path):
    found = Records(tmp_path / "r.jsonl", MADE)
    keys = [{"seed": seed} for seed in range(4)]
    assert found.spent(keys) == "How long all of it took is not recorded."
    found.add(keys[0], {}, seconds=1200.4)
    found.add(keys[1], {}, seconds=34.1)
    assert found.spent(keys).startswith("All cells took 1,234 s together")
    found.add(keys[2], {})
    assert found.spent(keys).startswith("2 of 3 cells took 1,234 s together")


def test_what_a_cell_took_stands_beside_its_result(tmp_path):
    records = Records(tmp_path / "r.jsonl", MADE)
    records.add({"seed": 0}, {"x": 1}, seconds=2.5)
    records.add({"seed": 1}, {"x": 1})
    again = Records(tmp_path / "r.jsonl", MADE)
    assert [again.seconds({"seed": seed}) for seed in (0, 1, 2)] == [2.5, None, None]
    assert again[{"seed": 0}] == {"x": 1}


def test_two_runs_do_not_work_in_one_folder(tmp_path):
    with alone_in(tmp_path / "out"):
        message = f"{tmp_path / 'out'} is being written by another process"
        with pytest.raises(StoreBusyError, match=message), alone_in(tmp_path / "out"):
            pass
    with alone_in(tmp_path / "out"):
        pass
