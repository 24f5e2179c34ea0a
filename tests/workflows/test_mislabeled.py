"""`mislabeled`: suspicion is the influence on the mean validation loss."""

import re
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest

from datainf.core.errors import OptionError
from datainf.evaluation.bootstrap import bootstrap_interval
from datainf.evaluation.detection import detection_auc
from datainf.integrations.tasks.causal_lm import CausalLM
from datainf.integrations.tasks.sequence_classification import SequenceClassification
from datainf.workflows.attribute import attribute
from datainf.workflows.collect import collect
from datainf.workflows.measure import measure
from datainf.workflows.mislabeled import explained, mislabeled, rank
from tests.cases import LENGTHS, TokenTask, encoder, token_rows
from tests.reference import influence_by_inverse, own_influence_by_inverse
from tests.tiny_models import tiny_tokenizer
from tests.workflows.collecting import StoppedError, Watched, state_of, together

N = len(LENGTHS)
TRAIN, TRUSTED = token_rows("encoder"), token_rows("encoder", seed=1)[:5]
WRONG = np.array([i in (1, 5) for i in range(N)])


def refused(message: str) -> Any:
    return pytest.raises(OptionError, match=f"^{re.escape(message)}$")


@pytest.fixture(autouse=True)
def few_draws(monkeypatch):
    """Fewer resamples than the thousand of the default; none is looked at here."""
    monkeypatch.setattr(
        "datainf.workflows.measure.bootstrap_interval",
        partial(bootstrap_interval, draws=31),
    )


@pytest.mark.parametrize("method", ["datainf", "exact", "dot"])
def test_suspicion_is_the_influence_on_the_mean_validation_loss(tmp_path, method):
    model = encoder()
    before = state_of(model)
    found = mislabeled(model, TRAIN, TRUSTED, TokenTask(), method=method)
    assert state_of(model) == before
    train = collect(model, TRAIN, TokenTask(), out=tmp_path / "train")
    trusted = collect(model, TRUSTED, TokenTask(), out=tmp_path / "trusted")
    mean = {name: rows.sum(dim=0) / 5 for name, rows in together(trusted).items()}
    by_hand = influence_by_inverse(
        method,
        together(train),
        {name: row[None] for name, row in mean.items()},
        groups=[[name] for name in train.layout.names],
    )[0].numpy()
    size = np.abs(by_hand).max()
    assert found.scores.values.shape == (1, N)
    np.testing.assert_allclose(
        found.scores.values[0], by_hand, rtol=1e-4, atol=1e-5 * size
    )
    order = np.argsort(-by_hand, kind="stable")
    assert found.ranking["index"].tolist() == order.tolist()
    assert found.ranking["rank"].tolist() == list(range(1, N + 1))
    np.testing.assert_allclose(
        found.ranking["suspicion"], by_hand[order], rtol=1e-4, atol=1e-5 * size
    )
    assert found.measured == {}


def test_the_score_of_the_mean_is_the_mean_of_the_scores():
    """Methods are linear in the query, so one query stands for all."""
    model = encoder()
    found = mislabeled(model, TRAIN, TRUSTED, TokenTask())
    single = attribute(model, TRAIN, TRUSTED, TokenTask())
    expected = single.values.mean(axis=0)
    np.testing.assert_allclose(
        found.scores.values[0], expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max()
    )
    assert found.scores.queries["index"].tolist() == ["mean of 5"]
    assert found.scores.provenance.sources == single.provenance.sources


def test_the_ranking_says_label_text_and_what_is_wrong():
    ranking = mislabeled(encoder(), TRAIN, TRUSTED, LabelledTask(), wrong=WRONG).ranking
    assert list(ranking.columns) == [
        "rank",
        "index",
        "suspicion",
        "label",
        "wrong",
        "text",
    ]
    rows = [TRAIN[i] for i in ranking["index"]]
    assert ranking["label"].tolist() == [row["labels"] for row in rows]
    assert ranking["wrong"].tolist() == [bool(WRONG[i]) for i in ranking["index"]]
    assert ranking["text"].tolist() == [str(row["input_ids"]) for row in rows]


class LabelledTask(TokenTask):
    """TokenTask whose label column is told."""

    label_column = "labels"


def test_what_is_not_known_is_no_column():
    ranking = mislabeled(
        encoder(), TRAIN, TRUSTED, TokenTask(), store_text=False
    ).ranking
    assert list(ranking.columns) == ["rank", "index", "suspicion"]


def test_known_wrong_rows_measure_the_ranking(tmp_path):
    model = encoder()
    found = mislabeled(model, TRAIN, TRUSTED, TokenTask(), wrong=WRONG)
    losses = collect(model, TRAIN, TokenTask(), out=tmp_path / "train").losses
    assert found.measured == measure(found.scores.values[0], WRONG, losses)
    assert set(found.measured) == {
        "auc",
        "auc_low",
        "auc_high",
        "precision_at_2",
        "share_wrong",
        "auc_of_loss",
    }
    place = {row: at for at, row in enumerate(found.ranking["index"])}
    won = [place[w] < place[r] for w in (1, 5) for r in range(N) if r not in (1, 5)]
    assert found.measured["auc"] == pytest.approx(np.mean(won))
    assert 0 < found.measured["auc"] < 1


def test_the_cache_is_reused(tmp_path):
    first = mislabeled(encoder(), TRAIN, TRUSTED, TokenTask(), cache=tmp_path)
    task = Watched()
    again = mislabeled(
        encoder(), TRAIN, TRUSTED, task, cache=tmp_path, progress=task.told
    )
    assert task.told.of("pass") == []
    np.testing.assert_array_equal(again.scores.values, first.scores.values)


def test_options_reach_collecting_and_scoring(tmp_path):
    found = mislabeled(
        encoder(),
        TRAIN,
        TRUSTED,
        TokenTask(),
        cache=tmp_path,
        method="exact",
        dtype="bf16",
        damping=0.3,
        keep_blocks=True,
    )
    assert found.scores.provenance.options["damping"] == 0.3
    assert found.scores.per_block is not None
    assert '"dtype": "bf16"' in (tmp_path / "train" / "manifest.json").read_text()


@pytest.mark.parametrize("method", ["datainf", "exact", "dot"])
def test_without_trusted_data_suspicion_is_self_influence(tmp_path, method):
    found = mislabeled(encoder(), TRAIN, None, TokenTask(), method=method, wrong=WRONG)
    store = collect(encoder(), TRAIN, TokenTask(), out=tmp_path / "train")
    by_hand = own_influence_by_inverse(
        method, together(store), groups=[[name] for name in store.layout.names]
    ).numpy()
    order = np.argsort(-by_hand, kind="stable")
    assert found.ranking["index"].tolist() == order.tolist()
    np.testing.assert_allclose(found.ranking["suspicion"], by_hand[order], rtol=1e-4)
    assert found.measured["auc"] == detection_auc(by_hand, WRONG)
    assert found.scores.provenance.notes[0] == (
        "no validation data: rows are ranked by self-influence, which is large for "
        "wrong rows and for rare or hard ones; trusted examples (--validation) tell "
        "them apart."
    )


# --- ranking by itself --------------------------------------------------------------


def ranked(suspicion, rows, task, wrong=None, **columns: Any) -> pd.DataFrame:
    known = pd.DataFrame({"index": np.arange(len(suspicion)) + 2, **columns})
    return rank(np.array(suspicion), known, rows, task, wrong)


def test_ties_keep_the_order_of_the_data():
    found = ranked([0.0, 1.0, 0.0, -1.0, 1.0], [{}] * 5, TokenTask())
    assert found["index"].tolist() == [3, 6, 2, 4, 5]
    assert found["suspicion"].tolist() == [1.0, 1.0, 0.0, 0.0, -1.0]


def test_the_label_of_a_language_model_is_its_completion():
    rows = [{"prompt": "a", "completion": "b"}, {"prompt": "c", "completion": "d"}]
    task = CausalLM(tiny_tokenizer())
    found = ranked([1.0, 2.0], rows, task, text=["x", "y"])
    assert found["label"].tolist() == ["d", "b"]
    assert found["text"].tolist() == ["y", "x"]


def test_the_label_of_a_classification_is_shown_as_it_stands_in_the_row():
    rows = [{"text": "a", "mood": "bad"}, {"text": "b", "mood": "good"}]
    task = SequenceClassification(
        tiny_tokenizer(), label_column="mood", labels=["bad", "good"]
    )
    found = ranked([1.0, 2.0], rows, task, np.array([True, False]))
    assert found["label"].tolist() == ["good", "bad"]
    assert found["wrong"].tolist() == [False, True]


def test_a_label_that_some_rows_lack_is_no_column():
    rows = [{"completion": "a"}, {"messages": "b"}]
    found = ranked([1.0, 2.0], rows, CausalLM(tiny_tokenizer()))
    assert "label" not in found


# --- refused before the model works -------------------------------------------------


def test_flags_of_other_rows_are_refused_before_the_work():
    task = Watched()
    message = (
        "wrong must say of each of the 7 training rows whether it is known to be "
        "wrong, got 5 flags."
    )
    with refused(message):
        mislabeled(encoder(), TRAIN, TRUSTED, task, wrong=WRONG[:5], progress=task.told)
    assert task.told.events == []


def test_wrong_options_are_refused_before_the_work():
    task = Watched()
    with refused("datainf: damping must be a positive number, got 0.0."):
        mislabeled(encoder(), TRAIN, TRUSTED, task, damping=0.0, progress=task.told)
    assert task.told.events == []


def test_agreement_without_queries_is_refused_before_the_work():
    task = Watched()
    message = (
        "agreement compares the rankings of queries, and self-influence has none; give "
        "validation data, or leave agreement out."
    )
    with refused(message):
        mislabeled(encoder(), TRAIN, None, task, agreement=True, progress=task.told)
    assert task.told.events == []


def test_an_error_while_collecting_leaves_no_temporary_folder(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    task = Watched(stop_at=1)
    with pytest.raises(StoppedError):
        mislabeled(encoder(), TRAIN, TRUSTED, task, progress=task.told)
    assert list(tmp_path.iterdir()) == []


def test_the_head_of_the_ranking_says_why():
    found = mislabeled(encoder(), TRAIN, TRUSTED, LabelledTask(), wrong=WRONG)
    table = explained(found, 3)
    assert list(table.columns) == [
        *("rank", "index", "suspicion", "label", "wrong", "why", "text")
    ]
    assert table["index"].tolist() == found.ranking["index"].tolist()[:3]
    assert [why.split(" in ")[0] for why in table["why"]] == [
        f"number {i} of {len(TRAIN)}" for i in (1, 2, 3)
    ]


def test_where_nothing_can_be_said_there_is_no_reason():
    found = mislabeled(encoder(), TRAIN, None, TokenTask(), store_text=False)
    assert list(explained(found).columns) == ["rank", "index", "suspicion"]
