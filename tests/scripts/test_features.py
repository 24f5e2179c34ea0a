"""Features that are no option, from a run's stores; one is compared with an option."""

import sys

import numpy as np

from datainf.core.records import Scores
from datainf.workflows.score import score
from scripts import features
from tests.store.stores import write_store


def test_scores_of_each_feature_are_saved(tmp_path, monkeypatch, capsys):
    train = write_store(tmp_path / "run" / "train")
    queries = write_store(tmp_path / "run" / "queries-1a2b3c4d")
    place = tmp_path / "out"
    monkeypatch.setattr(sys, "argv", ["", str(tmp_path / "run"), str(place)])
    features.main()
    names = capsys.readouterr().out.split()
    assert sorted(names) == sorted(folder.name for folder in place.iterdir())
    made = {name: Scores.load(place / name).values for name in names}
    plain = score(train, queries, method="dot").values
    unit = score(train, queries, method="dot", normalize="example").values
    between = -np.sqrt(np.abs(plain * unit))
    np.testing.assert_allclose(
        np.abs(made["lengths-0.5"]), np.abs(between), rtol=1e-5, atol=1e-9
    )
    losses = train.losses.astype(float)
    np.testing.assert_allclose(made["unit-times-loss"], unit * losses, rtol=1e-5)
