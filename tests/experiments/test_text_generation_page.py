"""The page of `text-generation`: its numbers and sentences are those of the records."""

import re

import numpy as np
import pytest

from datainf.evaluation.seeds import seed_mean
from datainf.experiments import text_generation_page as pages
from datainf.experiments.cells import Measured
from datainf.experiments.comparing import cells
from datainf.experiments.records import Records
from datainf.experiments.tables import mean_text, share
from datainf.experiments.text_generation import tasks_of
from datainf.experiments.variants import Variant
from tests.experiments.places import tiny_text_study

GROUP = ("sentences-shared", 2)
TARGETS = ("task", "prompt")


def test_a_line_of_the_table_is_the_mean_over_the_seeds(found_classes):
    measured, _ = found_classes
    results = cells(measured, GROUP, Variant("dot").key)
    assert len(results) == 2
    text = pages.page(measured, "datainf reproduce text-generation")
    line = next(x for x in text.splitlines() if x.startswith("| `dot` |"))
    shown = [mean_text([one[t][m] for one in results]) for t in TARGETS for m in MEANS]
    assert line.startswith("| `dot` | " + " | ".join(shown) + " |")
    assert line.endswith("| 2 |")
    table = pages.summary(measured)
    row = table[(table["gradient"] == "prompt alone") & (table["method"] == "dot")]
    expected = np.mean([one["prompt"]["auc"] for one in results])
    assert row["AUC"].item() == pytest.approx(expected)


MEANS = ("auc", "recall")


def test_the_first_table_has_ours_beside_the_papers(found_classes):
    measured, _ = found_classes
    text = pages.page(measured, "command")
    lines = [x for x in text.splitlines() if x.startswith("| sentences-shared, r = 2")]
    for line, target in zip(lines, TARGETS, strict=True):
        for name in ("dot", "datainf", "TF-IDF"):
            found = cells(measured, GROUP, Variant(name).key)
            means = [np.mean([one[target][m] for one in found]) for m in MEANS]
            assert " / ".join(share(float(x)) for x in means) in line
        assert line.endswith("| .999 / .985 | 1.000 / .997 | 8 |")


def test_the_page_ends_with_its_command_and_names_no_place(found_classes):
    measured, folder = found_classes
    text = pages.page(measured, "datainf reproduce text-generation --model MODEL")
    assert "```\ndatainf reproduce text-generation --model MODEL\n```" in text
    assert str(folder) not in text
    assert "Left out:\n\n- `cosine, normalize=relatif`:" in text
    assert "![AUC of every method](text-generation.svg)" in text


def test_methods_are_listed_best_first(found_classes):
    measured, _ = found_classes
    means = [float(np.mean(r["auc"]["task"])) for r in pages.rows(measured, GROUP)]
    assert means == sorted(means, reverse=True)


@pytest.mark.parametrize(
    ("task", "dot", "datainf", "said"),
    [
        ("math-paper", 0.70, 0.93, "reproduced, order and size."),
        ("math-paper", 0.80, 0.915, "order reproduced, with 0.5 times the paper's gap"),
        ("math-paper", 0.80, 0.80, "not reproduced: our interval holds no gap"),
        ("math-paper", 0.80, 0.70, "not reproduced, the other way round."),
        ("sentences-paper", 0.9, 0.9, "open: our interval holds both the paper's gap"),
    ],
)
def test_a_claim_is_judged_by_the_gap_on_the_same_seeds(
    tmp_path, task, dot, datainf, said
):
    measured = made_up(tmp_path, task, {"dot": dot, "datainf": datainf})
    first, second = pages.claims(measured)
    assert first.startswith(f"{task}, r = 2, completion: {said}")
    # The prompts' numbers are all the same: no gap with no width.
    assert second.startswith(f"{task}, r = 2, prompt alone: not reproduced: our")
    assert f"DataInf {share(datainf)} / .500 against Hessian-free" in first
    if task.startswith("math"):
        told = "the paper has 1.000 / .999 against .770 / .258, +.230, with an adapter"
        assert first.endswith(f"{told} of r = 8.")


def test_one_seed_tells_nothing(tmp_path):
    measured = made_up(tmp_path, "math-paper", {"dot": 0.7, "datainf": 0.9}, seeds=1)
    assert "completion: one seed tells nothing yet." in pages.claims(measured)[0]


def test_the_two_gradients_of_a_method_are_compared(tmp_path):
    measured = made_up(tmp_path, "math-paper", {"dot": 0.7, "datainf": 0.9})
    table = pages.compared(measured)[-1].splitlines()
    said = [line for line in table if "less prompt alone" in line]
    results = cells(measured, ("math-paper", 2), Variant("dot").key)
    gap = seed_mean([one["task"]["auc"] - one["prompt"]["auc"] for one in results])
    assert len(said) == 2
    assert f"+{share(gap.mean)}, {share(gap.low)} to" in said[0]


def made_up(folder, task, means, *, seeds=5):
    """Records in which a method's AUC of completions wobbles about a mean."""
    study = tiny_text_study(folder, datasets=(task,), seeds=seeds)
    records, units = Records(folder / "r.jsonl", {"machine": "m"}), tasks_of(study)
    for unit in units:
        for name, auc in means.items():
            wobble = 0.01 * (unit.seed - (seeds - 1) / 2) * (1 if name == "dot" else -1)
            own = {"auc": auc + wobble, "recall": 0.5, "seconds": 1.0}
            result = {"task": own, "prompt": {**own, "auc": 0.6}}
            records.add({**unit.key(study), **Variant(name).key}, result)
    return Measured(study, records, units, {})


def test_what_is_not_measured_is_said_to_be_missing(tmp_path):
    study = tiny_text_study(tmp_path)
    empty = Measured(study, Records(tmp_path / "r.jsonl", {}), [], {})
    text = pages.page(empty, "command")
    assert "Nothing is measured yet." in text
    assert re.search(r"\| sentences-shared, r = 2 \| completion \| – \|", text)
