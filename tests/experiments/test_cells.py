"""The loop over adapters: what is there is not opened, what refuses is said."""

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import pytest

from datainf.core.errors import StoreBusyError
from datainf.experiments import cells
from datainf.experiments.cells import measured
from datainf.experiments.presets import PRESETS
from datainf.experiments.records import alone_in
from datainf.experiments.units import Unit
from datainf.experiments.variants import Variant

UNITS = [Unit("sst2", 4, seed) for seed in (0, 1)]
KEYS = [Variant(name).key for name in ("dot", "exact", "lissa")]


@pytest.fixture
def opens(monkeypatch):
    """The units that were opened; what they hold is their name."""
    found = []

    @contextmanager
    def fake(unit, *_):
        found.append(unit)
        yield unit

    monkeypatch.setattr(cells, "opened", fake)
    monkeypatch.setattr(Unit, "key", lambda self, _: {"seed": self.seed})
    return found


@pytest.fixture
def thread(monkeypatch):
    """One thread in place of processes; tests/workflows/test_workers.py has those."""

    @contextmanager
    def pool(_workers, prepare, *given):
        prepare(*given)
        with ThreadPoolExecutor(1) as found:
            yield found

    monkeypatch.setattr(cells, "worker_pool", pool)


def run(out, work, refused=None, *, workers=1, **options):
    return measured(
        "toy",
        replace(PRESETS["small"], workers=workers),
        out,
        units=UNITS,
        keys=KEYS,
        refused={} if refused is None else refused,
        cells=work,
        **options,
    )


def numbers(unit, subject, missing, _):
    assert subject is unit
    for key in missing:
        yield key, {"value": unit.seed}


def test_every_missing_cell_is_measured_once(tmp_path, opens):
    found = run(tmp_path, numbers)
    assert len(found.records) == len(UNITS) * len(KEYS)
    assert found.records[{"seed": 1, **KEYS[2]}] == {"value": 1}
    assert opens == UNITS
    run(tmp_path, numbers)
    assert opens == UNITS


@pytest.mark.usefixtures("opens")
def test_a_cells_seconds_begin_where_the_last_ones_ended(tmp_path, monkeypatch):
    clock = iter((100.0, 107.0, 108.0, 108.5, 200.0, 201.0, 202.0, 203.0))
    monkeypatch.setattr(cells, "perf_counter", lambda: next(clock))
    found = run(tmp_path, numbers).records
    took = [found.seconds({"seed": 0, **key}) for key in KEYS]
    assert took == [7.0, 1.0, 0.5]  # the first waits for the adapter


@pytest.mark.usefixtures("opens")
def test_a_cell_is_kept_before_the_next_is_measured(tmp_path):
    def breaks(_unit, _subject, missing, _refused):
        yield missing[0], {"value": 7}
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, breaks)
    (line,) = (tmp_path / "toy.jsonl").read_text().splitlines()
    assert json.loads(line)["result"] == {"value": 7}


def test_what_an_adapter_does_not_need_is_not_measured_on_it(tmp_path, opens):
    def wanted(unit, key):
        return unit.seed == 0 and key["method"] != "lissa"

    found = run(tmp_path, numbers, wanted=wanted)
    assert len(found.records) == len(KEYS) - 1
    assert opens == UNITS[:1]


@pytest.mark.usefixtures("opens")
def test_what_refuses_is_left_out_of_the_units_that_follow(tmp_path):
    def refusing(unit, _, missing, refused):
        assert ("exact" in {key["method"] for key in missing}) == (unit is UNITS[0])
        refused["exact"] = "no room."
        yield from ()

    found = run(tmp_path, refusing, {"dot": "not here."})
    assert found.refused == {"dot": "not here.", "exact": "no room."}


@pytest.mark.usefixtures("thread")
@pytest.mark.parametrize("workers", [2, 7])
def test_several_workers_measure_what_one_does(tmp_path, opens, workers):
    alone = run(tmp_path / "1", numbers)
    found = run(tmp_path / "2", numbers, workers=workers)
    keys = [{"seed": seed, **key} for seed in (0, 1) for key in KEYS]
    assert [found.records[key] for key in keys] == [alone.records[k] for k in keys]
    assert opens == 2 * UNITS
    # The file has them too, so that the next run opens nothing.
    assert len(run(tmp_path / "2", numbers, workers=workers).records) == len(keys)
    assert opens == 2 * UNITS


@pytest.mark.usefixtures("thread", "opens")
def test_what_refuses_in_a_worker_is_told_and_kept_of_the_others(tmp_path):
    def refusing(_unit, _, missing, refused):
        for key in missing:
            if key["method"] == "exact":
                refused["exact"] = "no room."
            else:
                yield key, {"value": 1}

    found = run(tmp_path, refusing, {"dot": "not here."}, workers=2)
    assert found.refused == {"dot": "not here.", "exact": "no room."}
    assert len(found.records) == 2


def test_a_folder_in_which_a_run_works_is_refused(tmp_path, opens):
    with alone_in(tmp_path), pytest.raises(StoreBusyError):
        run(tmp_path, lambda *_: [])
    assert opens == []


@pytest.mark.usefixtures("opens", "thread")
def test_workers_say_their_own_threads(tmp_path, monkeypatch):
    monkeypatch.setattr(cells, "surroundings", lambda: {"machine": "here"})
    prepare = cells._prepare

    def there(*given):
        monkeypatch.setattr(cells, "surroundings", lambda: {"machine": "there"})
        prepare(*given)

    monkeypatch.setattr(cells, "_prepare", there)
    found = run(tmp_path, lambda _u, _o, keys, _r: [(k, {}) for k in keys], workers=2)
    made = {
        json.loads(line)["made"]["machine"]
        for line in found.records.path.read_text().splitlines()
    }
    assert made == {"there"}
