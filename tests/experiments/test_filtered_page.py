"""The page of `filtered`: its numbers and sentences are those of the records."""

import re

import numpy as np
import pytest

from datainf.evaluation.seeds import seed_mean
from datainf.experiments import filtered_page as pages
from datainf.experiments.cells import Measured
from datainf.experiments.filtered import Filtered, Filtering
from datainf.experiments.records import Records
from datainf.experiments.tables import mean_text, share
from datainf.experiments.units import units_of
from datainf.experiments.variants import Variant
from tests.experiments.places import tiny_study

GROUP = ("sst2", 2)


def test_a_line_of_the_table_is_the_mean_over_the_seeds(kept):
    found, _ = kept
    results = pages.cells(found, GROUP, Variant("datainf"))
    assert len(results) == 2
    text = pages.page(found, "datainf reproduce filtered")
    line = next(x for x in text.splitlines() if x.startswith("| `datainf` |"))
    shown = [
        mean_text([one[part][measure] for one in results])
        for part in ("test", "validation")
        for measure in ("accuracy", "loss")
    ]
    wrong = np.mean([one["wrong_kept"] / one["wrong"] for one in results])
    assert line == f"| `datainf` | {' | '.join(shown)} | {share(wrong)} | 2 |"
    assert "17 training rows, 3 of them wrong, 12 kept; 7 test rows." in text
    table = pages.summary(found)
    row = table[table["kept by"] == "datainf"]
    expected = np.mean([one["test"]["accuracy"] for one in results])
    assert row["test accuracy"].item() == pytest.approx(expected)


def test_the_page_ends_with_its_command_and_names_no_place(kept):
    found, folder = kept
    text = pages.page(found, "datainf reproduce filtered --model MODEL")
    assert "```\ndatainf reproduce filtered --model MODEL\n```" in text
    assert str(folder.parent) not in text
    assert "Left out:\n\n- `cosine, normalize=relatif`:" in text
    assert "![Test accuracy by what chose the rows](filtered.svg)" in text
    assert "\n| oracle |" in text


def test_choices_are_listed_best_first(kept):
    found, _ = kept
    lines = pages.rows(found, GROUP)
    means = [float(np.mean(row["test accuracy"])) for row in lines]
    assert means == sorted(means, reverse=True)
    assert len(lines) == 2 + 2 + 3


def made(folder, accuracies, *, seeds=5, **changes) -> Filtered:
    """Write records as if each choice gave the same accuracy, less a wobble."""
    study = tiny_study(folder, seeds=seeds, **changes)
    units, filtering = units_of(study), Filtering()
    records = Records(folder / "r.jsonl", {"machine": "m"})
    for unit in units:
        for name, accuracy in accuracies.items():
            test = {"accuracy": accuracy, "loss": 0.5}
            if accuracy is not None:
                wobble = 0.01 * (unit.seed % 3)
                test = {"accuracy": accuracy + wobble, "loss": 1 - accuracy - wobble}
            result = {"test": test, "validation": test, "seconds": 1.0}
            counts = {"rows": 17, "kept": 12, "wrong": 3, "wrong_kept": 1}
            key = {**unit.key(study), **filtering.key(Variant(name))}
            records.add(key, {**counts, "test_rows": 7, **result})
    return Filtered(Measured(study, records, units, {}), filtering)


def test_a_clear_difference_is_called_clear_and_loss_counts_the_other_way(tmp_path):
    found = made(tmp_path, {"datainf": 0.7, "loss": 0.9, "all rows": 0.8})
    said = pages.verdicts(found)
    counts = {
        tuple(re.findall(r"`([^`]*)`", line)): re.findall(r"(\d) (?:and|of)", line)
        for line in said
        if ", test accuracy on" in line
    }
    assert counts[("datainf", "loss")] == ["0", "1"]
    assert counts[("loss", "all rows")] == ["1", "0"]
    (saved,) = [x for x in said if x.startswith("`loss` less") and "test loss" in x]
    assert "fall of the test loss on the same seeds: clearly better in 1" in saved


@pytest.mark.parametrize(
    ("accuracy", "verdict"),
    [
        (0.9, "reproduced"),
        (0.8, "neither reproduced nor contradicted"),
        (0.7, "contradicted"),
    ],
)
def test_the_paper_s_claim_is_judged_by_the_interval(tmp_path, accuracy, verdict):
    (said,) = pages.claims(made(tmp_path, {"datainf": accuracy, "all rows": 0.8}))
    assert f"is **{verdict}** here: test accuracy " in said
    assert f"{share(abs(accuracy - 0.8))}, " in said


def test_a_gap_that_the_seeds_do_not_agree_on_is_no_reproduction(tmp_path):
    found = made(tmp_path, {"datainf": 0.9, "all rows": 0.8}, seeds=2)
    cells = found.measured.records
    last = found.measured.units[1].key(found.measured.study)
    cells[{**last, **found.filtering.key(Variant("datainf"))}]["test"]["accuracy"] = 0.8
    (said,) = pages.claims(found)
    assert "is **neither reproduced nor contradicted** here: test accuracy +." in said


def test_one_seed_decides_nothing(tmp_path):
    (said,) = pages.claims(made(tmp_path, {"datainf": 1, "all rows": 0.8}, seeds=1))
    assert "**not decided by one seed**" in said


def test_a_task_without_classes_is_ordered_and_compared_by_its_loss(tmp_path):
    found = made(tmp_path, {"datainf": None, "all rows": None, "loss": None})
    assert [row["test accuracy"] for row in pages.rows(found, GROUP)] == [
        [None] * 5
    ] * 3
    assert pages.claims(found) == []
    assert all("fall of the test loss" in line for line in pages.verdicts(found))
    assert pages.summary(found)["test accuracy"].isna().all()


def test_a_diverged_training_is_named_and_not_compared(tmp_path):
    found = made(tmp_path, {"datainf": 0.9, "all rows": 0.8}, seeds=3)
    records = found.measured.records
    unit = found.measured.units[1]
    key = {**unit.key(found.measured.study), **found.filtering.key(Variant("datainf"))}
    facts = {"rows": 17, "kept": 12, "wrong": 3, "wrong_kept": 1, "test_rows": 7}
    records.add(key, {**facts, "problem": "the loss is nan.", "seconds": 1.0})
    text = pages.page(found, "command")
    assert "Training diverged on some seed on the rows kept by `datainf`." in text
    line = next(x for x in text.splitlines() if x.startswith("| `datainf` |"))
    assert line.count("[1 undefined]") == 4
    assert pages.claims(found) == []


def test_pairs_are_compared_on_the_same_seeds(kept):
    found, _ = kept
    sides = [
        pages.values(pages.cells(found, GROUP, Variant(name)), "test", "loss")
        for name in ("datainf", "random")
    ]
    gap = pages.paired(
        found, "test", "loss", GROUP, Variant("datainf"), Variant("random")
    )
    mine, theirs = (np.array(side, dtype=float) for side in sides)
    assert gap == seed_mean(mine - theirs)
    unknown = Variant("no such method")
    assert (
        pages.paired(found, "test", "loss", GROUP, Variant("datainf"), unknown) is None
    )


def test_what_is_not_measured_is_said_to_be_missing(tmp_path):
    study = tiny_study(tmp_path)
    nothing = Measured(study, Records(tmp_path / "r.jsonl", {}), [], {})
    text = pages.page(Filtered(nothing, Filtering(keep=0.4)), "command")
    assert "Nothing is measured yet." in text
    assert "Each method keeps the 40% of the training rows" in text
