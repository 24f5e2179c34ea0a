"""The sampled Fisher as typed: in one command, or in two steps with --curvature."""

import json

import numpy as np
import pytest
import yaml

from datainf.core.records import Scores
from tests.cli.command import refused, worked

DRAWS = ("--samples", 2, "--sample-seed", 5)


def test_attribute_and_two_steps_with_a_curvature_give_the_same_scores(lm, tmp_path):
    run = tmp_path / "run"
    said = worked(
        *("attribute", "--adapter", lm.adapter, "--queries", lm.queries),
        *("--fisher", "sampled", *DRAWS, "--out", run, "--format", "json"),
    )
    assert len(json.loads(said.out)) == 30
    kept = yaml.safe_load((run / "run.yaml").read_text(encoding="utf-8"))
    assert kept["score"]["fisher"] == "sampled"
    assert kept["collect"]["samples"] == 2
    curvature = tmp_path / "curvature"
    worked(
        *("collect", "--adapter", lm.adapter, "--output", "sampled", *DRAWS),
        *("--out", curvature),
    )
    (queries,) = run.glob("queries-*")
    worked(
        *("score", "--train", run / "train", "--queries", queries),
        *("--curvature", curvature, "--out", tmp_path / "scores"),
    )
    one, two = Scores.load(run / "scores"), Scores.load(tmp_path / "scores")
    np.testing.assert_array_equal(one.values, two.values)
    assert one.provenance.options == two.provenance.options
    assert one.provenance.options["fisher"] == "sampled"
    replayed = worked("attribute", run / "run.yaml", "--format", "json")
    assert replayed.out == said.out
    again = yaml.safe_load(
        (tmp_path / "scores" / "run.yaml").read_text(encoding="utf-8")
    )
    assert again["curvature"]["data"] == str(curvature)


def test_mislabeled_takes_the_fisher(films, tmp_path):
    worked(
        *("mislabeled", "--adapter", films.adapter, "--validation", films.queries),
        *("--fisher", "sampled", "--out", tmp_path),
    )
    scores = Scores.load(tmp_path / "scores")
    assert scores.provenance.options["fisher"] == "sampled"


def test_a_dry_run_counts_the_draws(films):
    said = worked(
        *("attribute", "--adapter", films.adapter, "--queries", films.queries),
        *("--fisher", "sampled", "--samples", 3, "--dry-run", "--format", "json"),
    )
    found = json.loads(said.out)
    assert found["curvature"]["rows"] == 3 * found["train"]["rows"]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--method", "dot", "--fisher", "sampled"), "dot has no curvature"),
        (("--fisher", "exact"), "fisher='exact' is unknown"),
        (("--samples", 2), "samples=2 and sample_seed=0 belong to fisher='sampled'"),
        (("--output", "sampled"), "output='sampled' is for `collect`"),
    ],
)
def test_what_does_not_go_together_is_refused(films, tmp_path, flags, message):
    said = refused(
        *("attribute", "--adapter", films.adapter, "--queries", films.queries),
        *(*flags, "--out", tmp_path / "run"),
    )
    assert said.startswith(message)
    assert not (tmp_path / "run").exists()


def test_score_cannot_draw_and_attribute_takes_no_store(films, tmp_path):
    run = tmp_path / "run.yaml"
    run.write_text("score: {fisher: sampled}\n", encoding="utf-8")
    said = refused("score", run, "--train", "a", "--queries", "b", "--out", tmp_path)
    assert said.startswith("fisher='sampled' draws labels from a model, and `datainf s")
    run.write_text("curvature: {data: stores/c}\n", encoding="utf-8")
    said = refused(
        *("attribute", run, "--adapter", films.adapter, "--queries", films.queries),
        *("--out", tmp_path / "out"),
    )
    assert said.startswith("curvature.data='stores/c' is a store, which `datainf score")
