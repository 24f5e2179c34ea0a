"""`reproduce counterfactual` at a toy size: every cell once, resumed, as `evaluate`."""

from dataclasses import replace

import pandas as pd
import pytest

from datainf.core.errors import OptionError
from datainf.core.evaluate_options import BatchOrder
from datainf.experiments import counterfactual
from datainf.experiments.counterfactual import Cell, cells_of, run
from datainf.experiments.data.judged_rows import JudgedRows
from datainf.experiments.judged import ALL_JUDGED, judged_study
from tests.experiments.places import tiny_data


def test_every_cell_is_measured(judged):
    findings, _ = judged
    kinds = [(cell.judged.name, cell.kind, str(cell.order)) for cell in findings.cells]
    assert kinds == [
        ("sst2", "lds", "reshuffled"),
        ("sst2", "lds", "kept"),
        ("sst2", "loo", "kept"),
        ("sst2", "prune", "reshuffled"),
        ("sst2", "lds", "reshuffled"),
        ("sst2", "lds", "kept"),
    ]
    assert [cell.along for cell in findings.cells] == [False] * 4 + [True] * 2
    assert [cell for cell, _ in findings.there()] == list(findings.cells[:4])


def test_methods_along_the_training_stand_among_the_others(judged):
    findings, out = judged
    results = [result for cell, result in findings.there() if cell.kind == "lds"]
    for result in results:
        assert set(result["scores"]) == {
            *("dot:normalize=none", "cosine", "random", "less"),
        }
    # They share the retrainings and leave the adapter itself alone.
    folder = out / "counterfactual" / "sst2"
    assert len(list((folder / "along" / "adapter" / "checkpoints").iterdir())) >= 1
    assert not (folder / "adapter" / "checkpoints").exists()
    assert not (folder / "along" / "retrained").exists()
    assert len(list((folder / "retrained").iterdir())) == 1


def test_pictures_have_no_margin_and_sums_no_retraining_of_their_own():
    cells = cells_of(judged_study("full"))
    along = {cell.judged.name for cell in cells if cell.along}
    assert along == {"sst2", "mrpc", "sentences", "gsm8k"}


def test_a_cell_is_what_evaluate_wrote(judged):
    findings, out = judged
    (cell, result), *_ = [
        pair for pair in findings.there() if pair[0].order is BatchOrder.KEPT
    ]
    # The last evaluation of each kind lies in the folder: here of the kept batches.
    written = pd.read_csv(out / "counterfactual" / "sst2" / "lds.csv")
    for row in written.itertuples():
        assert result["scores"][row.scores]["lds"] == pytest.approx(row.lds, abs=1e-4)
    assert result["subsets"] == cell.sets == findings.study.subsets


def test_nothing_is_judged_twice(judged, monkeypatch):
    findings, out = judged
    monkeypatch.setattr(counterfactual, "_JUDGES", {})
    again = run(findings.study, out)
    assert list(again.there()) == list(findings.there())


def test_a_lost_cell_is_judged_again_without_any_training(judged, monkeypatch):
    findings, out = judged
    path = out / "counterfactual.jsonl"
    whole = path.read_bytes()
    path.write_bytes(b"".join(whole.splitlines(keepends=True)[:-1]))

    def trained(*_):
        raise AssertionError("nothing is left to train")

    monkeypatch.setattr("datainf.workflows.retraining.train", trained)
    again = run(findings.study, out)
    path.write_bytes(whole)
    assert list(again.there()) == list(findings.there())


def test_the_base_drops_nothing_where_dropout_is_off(judged):
    _, out = judged
    assert (out / "counterfactual" / "sst2" / "base" / "config.json").is_file()


def test_the_copy_of_another_base_is_not_taken_for_this_one(tmp_path, monkeypatch):
    def copied(_, folder):
        folder.mkdir()
        (folder / "config.json").write_text("{}")

    monkeypatch.setattr(counterfactual, "copy_without_dropout", copied)
    rows = JudgedRows([{"text": "a"}], [{"text": "b"}], {})
    sst2 = replace(ALL_JUDGED["sst2"], rows=lambda *_: rows)

    def run_of(model):
        cell = Cell(sst2, "lds", BatchOrder.KEPT, 0.5, 7, 3)
        return counterfactual._run_of(cell, judged_study(model=model), tmp_path)

    assert run_of("hub/one").model == run_of("hub/one").model
    with pytest.raises(OptionError, match="is a copy of hub/one, and --model hub/two"):
        run_of("hub/two")


def test_results_on_other_rows_are_not_mixed_with_those_there(judged, tmp_path):
    findings, out = judged
    file = tiny_data(tmp_path) / "sst2" / "val.tsv"
    file.write_text(file.read_text().replace("film", "play"))
    other = replace(findings.study, data_dir=str(tmp_path))
    with pytest.raises(OptionError) as refused:
        run(other, out)
    assert str(refused.value) == (
        f"{out}/counterfactual/sst2/queries.jsonl holds other rows than these, and "
        "results on them are kept there; give another --out, or the data as they were."
    )


def test_first_plans_come_first_and_leaving_out_last(monkeypatch):
    monkeypatch.setattr(counterfactual, "ALL_JUDGED", ALL_JUDGED)
    study = judged_study("full", judged=("sst2", "mrpc"))
    found = [(cell.judged.name, cell.kind) for cell in cells_of(study)]
    assert found[:3] == [("sst2", "lds"), ("mrpc", "lds"), ("sst2", "lds")]
    before = [cell for cell in cells_of(study) if not cell.along]
    assert [cell.kind for cell in before[-4:]] == ["loo", "loo", "prune", "prune"]
    assert not any(cell.along for cell in cells_of(study)[: len(before)])
    assert {cell.sets for cell in cells_of(study) if cell.kind == "lds"} == {100, 40}
    small = cells_of(replace(study, plans=1, left_out=0, drop=()))
    assert [cell.kind for cell in small] == ["lds"] * 4


def test_what_shares_retrainings_is_judged_by_lds_alone(monkeypatch):
    monkeypatch.setattr(counterfactual, "ALL_JUDGED", ALL_JUDGED)
    found = cells_of(judged_study("full", judged=("sentences-sum",)))
    assert [cell.kind for cell in found] == ["lds"]


def test_what_decides_a_cell_is_in_its_key():
    study = judged_study("full")
    sentences = ALL_JUDGED["sentences"]
    first = Cell(sentences, "lds", BatchOrder.KEPT, 0.5, 7, 3)
    others = [
        replace(first, order=BatchOrder.RESHUFFLED),
        replace(first, removed=0.2),
        replace(first, sets=8),
        replace(first, kind="prune"),
        replace(first, along=True),
        replace(first, judged=replace(sentences, train_rows=7)),
    ]
    keys = [str(one.key(study)) for one in (first, *others)]
    assert len(set(keys)) == len(keys)
