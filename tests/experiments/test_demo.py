"""The demo at a small size: every step for real, the figures not judged."""

from pathlib import Path

import numpy as np
import pytest

from datainf.experiments.demo import DemoResult, DemoSettings, demo_rows, run_demo
from datainf.workflows.asking import asking

SMALL = DemoSettings(train_per_class=3, test_per_class=1, planted=0.1, epochs=1)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> DemoResult:
    return run_demo(tmp_path_factory.mktemp("demo"), SMALL)


def test_both_families_and_planted_rows_are_there() -> None:
    rows, held_out = demo_rows(SMALL)
    assert len(rows) == 60
    assert len(held_out) == 20
    assert sum(row["planted"] for row in rows) == 6
    assert {row["family"] for row in held_out} == {"sentences", "math"}
    assert not any(row["planted"] for row in held_out)


def test_the_result_holds_every_figure(small: DemoResult) -> None:
    assert small.before.keys() == small.after.keys() == {"sentences", "math"}
    assert all(0 <= share <= 1 for share in small.after.values())
    assert {"datainf", "exact", "TF-IDF of prompts"} <= set(small.classes["method"])
    assert small.classes[["AUC", "recall"]].to_numpy().min() >= 0
    assert small.planted["planted"].tolist() == [6] * 4
    assert len(small.examples) == 3 * SMALL.shown


def test_the_report_shows_the_queries(small: DemoResult) -> None:
    page = Path(small.report).read_text(encoding="utf-8")
    assert "Held-out exact match" in page


def test_what_is_left_is_a_finished_run_that_can_be_asked(small: DemoResult) -> None:
    _, (first, *_) = demo_rows(SMALL)
    with asking(small.report.parent) as run:
        found = run.ask({name: first[name] for name in ("prompt", "completion")})
    np.testing.assert_allclose(
        found.scores.values[0], small.scores.values[0], rtol=1e-3, atol=1e-5
    )
    assert found.scores.train["planted"].sum() == 6


def test_the_same_seed_gives_the_same_scores_to_the_bit(
    small: DemoResult, tmp_path: Path
) -> None:
    again = run_demo(tmp_path, SMALL)
    assert (again.scores.values == small.scores.values).all()


def test_the_recipe_follows_the_settings() -> None:
    recipe = DemoSettings(rank=3, seed=7).recipe
    assert (recipe.peft["r"], recipe.peft["lora_alpha"], recipe.seed) == (3, 6, 7)
