"""`attribute`: collect and score in one call, cached, and refused before any work."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datainf.core.errors import DataError, OptionError, StoreError
from datainf.core.options import CollectOptions
from datainf.estimators.datainf import DataInf
from datainf.estimators.lissa import LiSSA
from datainf.workflows.attribute import (
    attribute,
    check_scoring,
    split_options,
    take_fisher,
)
from datainf.workflows.collect import collect
from datainf.workflows.pair import collected, queries_name
from datainf.workflows.score import score
from tests.cases import LENGTHS, TokenTask, decoder, token_rows
from tests.reference import influence_by_inverse
from tests.workflows.collecting import (
    ROWS,
    StoppedError,
    Told,
    Watched,
    state_of,
    together,
)

QUERIES, OTHERS = token_rows("decoder", seed=1)[:3], token_rows("decoder", seed=2)[:5]


def refused(message: str, kind: type[Exception] = OptionError) -> Any:
    return pytest.raises(kind, match=f"^{re.escape(message)}$")


def scores_of(queries: Any, *, task: Any = None, **options: Any) -> Any:
    """Attribute with a watched task."""
    watched = task or Watched()
    return attribute(
        decoder(), ROWS, queries, watched, progress=watched.told, **options
    )


def test_attribute_is_collect_and_score(tmp_path):
    model = decoder()
    before = state_of(model)
    found = attribute(model, ROWS, QUERIES, TokenTask(), method="exact", damping=0.3)
    assert state_of(model) == before
    train = collect(model, ROWS, TokenTask(), out=tmp_path / "train")
    queries = collect(model, QUERIES, TokenTask(), out=tmp_path / "queries")
    expected = score(train, queries, method="exact", damping=0.3)
    np.testing.assert_array_equal(found.values, expected.values)
    assert found.values.shape == (3, len(LENGTHS))
    assert found.provenance == expected.provenance
    assert found.train.equals(expected.train)
    assert found.queries.equals(expected.queries)
    by_hand = influence_by_inverse(
        "exact",
        together(train),
        together(queries),
        groups=[[name] for name in train.layout.names],
        damping=0.3,
    )
    size = float(by_hand.abs().max())
    np.testing.assert_allclose(found.values, by_hand, rtol=1e-4, atol=1e-5 * size)


def test_the_default_is_datainf_and_every_option_reaches_its_place(tmp_path):
    cache = tmp_path / "cache"
    options: dict[str, Any] = {"dtype": "bf16", "shard_rows": 2, "store_text": False}
    found = scores_of(QUERIES, cache=cache, blocks="layer", keep_blocks=True, **options)
    assert found.provenance.method == "datainf"
    assert found.provenance.options == {
        "blocks": "layer",
        "damping": 0.1,
        "normalize": "none",
    }
    assert found.groups == ("model.layers.0", "model.layers.1")
    np.testing.assert_allclose(found.per_block.sum(axis=0), found.values, rtol=1e-5)
    assert "text" not in found.train
    for name in ("train", queries_name(QUERIES)):
        manifest = (cache / name / "manifest.json").read_text()
        assert '"dtype": "bf16"' in manifest
        assert '"shard_rows": 2' in manifest


def test_an_instance_is_a_method_too():
    by_name = scores_of(QUERIES, method="datainf", damping=0.7)
    by_value = scores_of(QUERIES, method=DataInf(damping=0.7))
    np.testing.assert_array_equal(by_name.values, by_value.values)


def test_the_cache_is_reused_without_a_pass_of_the_model(tmp_path):
    first = scores_of(QUERIES, cache=tmp_path)
    task = Watched()
    again = scores_of(QUERIES, cache=str(tmp_path), task=task, method="dot")
    assert task.told.of("pass") == []
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        queries_name(QUERIES),
        "train",
    ]
    np.testing.assert_array_equal(again.values, scores_of(QUERIES, method="dot").values)
    assert not np.array_equal(first.values, again.values)


def test_two_sets_of_queries_are_never_mixed_up(tmp_path):
    first = scores_of(QUERIES, cache=tmp_path)
    task = Watched()
    other = scores_of(OTHERS, cache=tmp_path, task=task)
    # The training gradients are there: only the five queries are collected.
    assert sum(shape[0] for shape in task.told.while_collecting("pass")) == 5
    np.testing.assert_array_equal(other.values, scores_of(OTHERS).values)
    turned = scores_of(QUERIES[::-1], cache=tmp_path)
    np.testing.assert_allclose(turned.values, first.values[::-1], rtol=1e-4, atol=1e-5)
    again = scores_of(QUERIES, cache=tmp_path)
    np.testing.assert_array_equal(again.values, first.values)
    assert len(list(tmp_path.glob("queries-*"))) == 3


def test_another_cache_is_not_touched_by_another_training_set(tmp_path):
    scores_of(QUERIES, cache=tmp_path)
    message = (
        f"{tmp_path / 'train'} holds a store of something else: other data; rows: 7 "
        "against 5. Choose another folder, delete this one, or give reuse=DIR (--reuse "
        "DIR) to keep the rows that did not change."
    )
    with refused(message, StoreError):
        attribute(decoder(), ROWS[:5], QUERIES, TokenTask(), cache=tmp_path)


def test_queries_come_first_so_that_their_faults_show_at_once():
    task = Watched()
    scores_of(QUERIES, task=task)
    said = [text for text in task.told.of("say") if text.endswith(":")]
    assert said == ["queries:", "training examples:"]
    assert task.told.of("stage") == [
        ("reading examples", 3),
        ("gradients", 3),
        ("reading examples", 7),
        ("gradients", 7),
    ]


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """Where temporary folders go."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_without_a_cache_the_folder_is_temporary(temporary):
    with collected(decoder(), ROWS, QUERIES, TokenTask(), cache=None) as pair:
        assert pair.train.path.parent.parent == temporary
        assert pair.train.path.parent == pair.queries.path.parent
        assert (len(pair.train), len(pair.queries)) == (7, 3)
    assert list(temporary.iterdir()) == []
    assert scores_of(QUERIES).values.shape == (3, 7)
    assert list(temporary.iterdir()) == []


def test_the_temporary_folder_goes_after_an_error_too(temporary):
    with pytest.raises(StoppedError):
        scores_of(QUERIES, task=Watched(stop_at=1))
    assert list(temporary.iterdir()) == []


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "method": (
        {"method": "datinf"},
        "method='datinf' is unknown: expected one of: dot, scaled-dot, cosine, "
        "datainf, exact, cg, lissa, ekfac, tracin, trak, less, auto; did you mean "
        "'datainf'?.",
    ),
    "damping": (
        {"damping": 0.0},
        "datainf: damping must be a positive number, got 0.0.",
    ),
    "blocks": (
        {"blocks": "modul"},
        "blocks='modul' is unknown: expected one of: tensor, module, layer, all; did "
        "you mean 'module'?.",
    ),
    "normalize": (
        {"normalize": "unit"},
        "normalize='unit' is unknown: expected one of: none, example, block, relatif.",
    ),
    "the method's own": (
        {"method": "lissa", "step": 3},
        "option 'step' is unknown: expected one of: damping, blocks, normalize, steps, "
        "tolerance, scale, seed, keep_blocks, fisher, agreement, dtype, project, "
        "project_seed, parameters, output, samples, sample_seed, batch_tokens, "
        "shard_rows, store_text, on_nonfinite, reuse, factors; did you mean 'steps'?.",
    ),
    "no such": (
        {"batch_token": 3},
        "option 'batch_token' is unknown: expected one of: damping, blocks, normalize, "
        "keep_blocks, fisher, agreement, dtype, project, project_seed, parameters, "
        "output, samples, sample_seed, batch_tokens, shard_rows, store_text, "
        "on_nonfinite, reuse, factors; did you mean 'batch_tokens'?.",
    ),
    "beside an instance": (
        {"method": DataInf(), "damping": 0.3},
        f"damping came beside the instance {DataInf()}; give options in one place: in "
        "the instance, or beside the method's name.",
    ),
    "collecting": (
        {"dtype": "fp8"},
        "dtype='fp8' is unknown: expected one of: fp32, bf16, fp16, int8.",
    ),
}


@pytest.mark.parametrize(("options", "message"), WRONG.values(), ids=WRONG)
def test_wrong_options_are_refused_before_anything_is_read(tmp_path, options, message):
    task, cache = Watched(), tmp_path / "cache"
    with refused(message):
        scores_of(QUERIES, task=task, cache=cache, **options)
    assert task.told.events == []
    assert not cache.exists()


def test_options_of_collecting_are_told_from_those_of_scoring():
    given = {"dtype": "bf16", "damping": 1.0, "store_text": False, "steps": 5}
    collecting, scoring = split_options(given)
    assert collecting == {"dtype": "bf16", "store_text": False}
    assert scoring == {"damping": 1.0, "steps": 5}
    assert CollectOptions(**collecting).dtype == "bf16"


def test_good_options_of_scoring_pass():
    good = {"damping": 1.0, "steps": 5, "keep_blocks": True}
    made = check_scoring("lissa", {**good, "fisher": "sampled"})
    assert made == LiSSA(damping=1.0, steps=5)
    assert check_scoring(DataInf(), {"keep_blocks": True}) == DataInf()


def test_the_fisher_is_taken_out_of_what_is_for_score():
    given: dict[str, Any] = {"damping": 1.0, "fisher": "sampled"}
    assert take_fisher(given, DataInf(), CollectOptions()) == "sampled"
    assert given == {"damping": 1.0}
    assert take_fisher(given, DataInf(), CollectOptions()) == "empirical"


def test_a_query_that_is_no_row_is_named():
    message = "example 1 is a str; expected a dictionary of columns."
    with refused(message, DataError):
        scores_of([QUERIES[0], "why?"])


def test_a_cache_in_a_folder_that_is_not_there_is_made(tmp_path):
    cache = tmp_path / "runs" / "mine"
    scores_of(QUERIES, cache=cache)
    assert isinstance(cache, Path)
    assert (cache / "train" / "manifest.json").is_file()


def test_another_adapter_is_attributed_by_name(tmp_path):
    model, told = decoder(), Told()
    model.add_adapter("second", model.peft_config["default"])
    for name, parameter in model.named_parameters():
        if "lora_B.second" in name:
            parameter.data.normal_(std=0.5)
    found = {
        name: attribute(
            model,
            ROWS,
            QUERIES,
            TokenTask(),
            adapter_name=name,
            cache=tmp_path / name,
            progress=told,
        )
        for name in ("default", "second")
    }
    assert [text.split(" ")[1] for text in told.of("say") if "adapter" in text] == [
        "'default'",
        "'default'",
        "'second'",
        "'second'",
    ]
    assert not np.allclose(found["default"].values, found["second"].values)
