"""The sampled Fisher, from a model to scores: right, repeatable, and never mixed up."""

import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch

from datainf.core.errors import (
    DatainfWarning,
    NonFiniteError,
    OptionError,
    StoreError,
)
from datainf.core.options import CollectOptions
from datainf.estimators.table import METHODS, build
from datainf.integrations.peft import adapter_of
from datainf.integrations.tasks.outputs import MarginTask
from datainf.integrations.tasks.sequence_classification import SequenceClassification
from datainf.store.facts import describe_store
from datainf.store.memory import InMemorySource
from datainf.store.reader import GradientStore, open_store
from datainf.store.verify import verify
from datainf.workflows.attribute import attribute
from datainf.workflows.collect import collect, collect_estimate
from datainf.workflows.fisher import (
    curvature_name,
    require_collected,
    require_curvature,
    require_fisher,
)
from datainf.workflows.mislabeled import mislabeled
from datainf.workflows.pair import collected
from datainf.workflows.score import score
from tests.reference import influence_by_inverse
from tests.reference_gradients import gradients_one_by_one
from tests.store.stores import files
from tests.task_cases import CASES
from tests.tiny_models import tiny_tokenizer
from tests.workflows.collecting import relative_error, right_gradients, together

CASE = CASES["one text"]
ROWS = [
    {"text": text * (i % 3 + 1), "label": i % 3}
    for i, text in enumerate(["fine ", "dull ", "odd ", "so so ", "bad "])
]
QUERIES = [{"text": "a fine film", "label": 2}, {"text": "dull", "label": 0}]
CUT: dict[str, Any] = {"shard_rows": 3, "batch_tokens": 40}
DIVIDING = [
    name
    for name, entry in METHODS.items()
    if entry.cls.divides and entry.cls.output == "loss"
]


def model() -> torch.nn.Module:
    return CASE.model("sdpa")


def gathered(out: Any, rows: Any = ROWS, **options: Any) -> GradientStore:
    return collect(model(), rows, CASE.make(), out=out, **{**CUT, **options})


def drawn(out: Any, rows: Any = ROWS, **options: Any) -> GradientStore:
    return gathered(out, rows, **{"output": "sampled", "samples": 2, **options})


def refused(message: str, kind: type[Exception] = OptionError) -> Any:
    return pytest.raises(kind, match=f"^{re.escape(message)}")


# --- what is in the store -----------------------------------------------------------


def test_a_store_of_draws_says_which_example_and_how_it_was_drawn(tmp_path):
    store = drawn(tmp_path / "a", sample_seed=7)
    assert verify(store.path).ok
    assert store.index.tolist() == list(range(2 * len(ROWS)))
    table = store.examples
    assert table["text"].tolist() == [
        CASE.make().describe(row) for row in ROWS for _ in range(2)
    ]
    assert table["hash"].is_unique
    facts = describe_store(store.path)
    assert facts["output"] == "sampled"
    how = {"name": "sampled", "samples": 2, "sample_seed": 7}
    assert facts["task"]["output"] == how
    options = store.manifest.options
    assert (options.samples, options.sample_seed) == (2, 7)


def test_the_moment_of_many_draws_is_the_models_own_fisher(tmp_path):
    """JᵀHJ by every class with its probability, one backward pass each."""
    whole, task = model(), CASE.make()
    store = drawn(
        tmp_path / "a", ROWS[:2], samples=500, batch_tokens=10**5, shard_rows=1000
    )
    blocks = {t.block.name: t.parameter for t in adapter_of(whole).parameters}
    wanted = {name: torch.zeros(p.numel(), p.numel()) for name, p in blocks.items()}
    for row in ROWS[:2]:
        with torch.no_grad():
            found: Any = task.predictions(whole, task.collate([row]))  # type: ignore[attr-defined]
        for label, p in enumerate(found.logits[0, 0].softmax(dim=0)):
            one = [{**row, "label": label}]
            for name, g in gradients_one_by_one(whole, task, one, blocks).items():
                wanted[name] += float(p) / 2 * torch.outer(g[0], g[0]).float()
    compared = 0
    for name, g in together(store).items():
        if name.endswith("key.bias"):
            continue
        moment = g.T @ g / len(g)
        error = (moment - wanted[name]).norm() / wanted[name].norm()
        assert float(error) < 0.15, name
        compared += 1
    assert compared > 3


def test_draws_are_the_same_whatever_the_batches_and_shards_are(tmp_path):
    one = together(drawn(tmp_path / "one", batch_tokens=1, shard_rows=1))
    many = together(drawn(tmp_path / "many", batch_tokens=10**6, shard_rows=100))
    assert relative_error(one, many) < 1e-5


def test_more_draws_keep_the_first_ones(tmp_path):
    one, three = (drawn(tmp_path / str(n), samples=n) for n in (1, 3))
    first = {name: g[::3] for name, g in together(three).items()}
    assert relative_error(together(one), first) < 1e-5
    assert one.examples["hash"].tolist() == three.examples["hash"].tolist()[::3]


def test_other_seeds_draw_other_labels(tmp_path):
    one, two = (drawn(tmp_path / str(n), sample_seed=n) for n in (0, 1))
    assert not np.allclose(one.losses, two.losses)


def test_the_same_run_writes_the_same_bytes_and_is_reused(tmp_path):
    drawn(tmp_path / "a")
    drawn(tmp_path / "b")
    assert files(tmp_path / "a") == files(tmp_path / "b")
    before = files(tmp_path / "a")
    drawn(tmp_path / "a")
    assert files(tmp_path / "a") == before


def test_a_store_of_draws_grows_to_the_same_bytes(tmp_path):
    drawn(tmp_path / "once")
    drawn(tmp_path / "grown", ROWS[:3])
    drawn(tmp_path / "grown")
    assert files(tmp_path / "once") == files(tmp_path / "grown")


def test_draws_of_rows_that_stayed_are_reused(tmp_path):
    older = drawn(tmp_path / "older")
    store = drawn(tmp_path / "newer", ROWS[::-1][:3], reuse=older.path)
    assert store.identity.about["reused"] == 6
    assert (
        relative_error(together(store), together(drawn(tmp_path / "c", ROWS[::-1][:3])))
        < 1e-5
    )


def test_another_number_of_draws_is_another_store(tmp_path):
    drawn(tmp_path / "a")
    with refused(
        f"{tmp_path / 'a'} holds a store of something else: samples: 2 against 3; "
        "other data; rows: 10 against 15.",
        StoreError,
    ):
        drawn(tmp_path / "a", samples=3)
    with refused(
        f"{tmp_path / 'a'} holds a store of something else: output: sampled against "
        "loss; other data; rows: 10 against 5.",
        StoreError,
    ):
        gathered(tmp_path / "a")


def test_the_loss_of_a_margin_store_is_the_margin(tmp_path):
    store = gathered(tmp_path / "a", output="margin")
    whole, task = model(), MarginTask(CASE.make())
    with torch.no_grad():
        wanted = task.losses(whole, task.collate(ROWS))
    np.testing.assert_allclose(store.losses, wanted, rtol=1e-6)
    assert relative_error(together(store), right_gradients(whole, task, ROWS)) < 1e-5
    assert store.manifest.options.output == "margin"


@dataclass(frozen=True)
class Spoilt(SequenceClassification):
    """A classifier that says nothing of a text that begins with `b`."""

    def predictions(self, model: Any, batch: Any) -> Any:
        found: Any = super().predictions(model, batch)
        bad = batch["input_ids"][:, 1] == self.tokenizer("b")["input_ids"][1]
        logits = torch.where(bad[:, None, None], torch.nan, found.logits)
        return replace(found, logits=logits)


def test_a_draw_that_is_no_number_is_named_by_its_example(tmp_path):
    task = Spoilt(tiny_tokenizer(), num_labels=3)
    rows, options = [*ROWS, *ROWS], {"output": "sampled", "samples": 2, **CUT}
    with refused("example 4 (draw 0): its loss is nan", NonFiniteError):
        collect(model(), rows, task, out=tmp_path / "a", **options)
    with pytest.warns(
        DatainfWarning, match=r"8: example 4 \(draw 0\): its loss is nan"
    ):
        store = collect(
            model(), rows, task, out=tmp_path / "b", on_nonfinite="skip", **options
        )
    assert [row.index for row in store.excluded] == [8, 9, 18, 19]
    assert len(store) == 16


# --- scores -------------------------------------------------------------------------


def _factors(store: GradientStore) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """The factors of a store that has some, for the reference."""
    found = {name: store.factors(name) for name in store.layout.names}
    return {
        name: (each.inputs, each.outputs)
        for name, each in found.items()
        if each is not None and each.inputs is not None and each.outputs is not None
    }


@pytest.mark.parametrize("method", DIVIDING)
def test_scores_are_those_of_a_curvature_of_draws(tmp_path, method):
    damping = 0.3
    options: dict[str, Any] = {"cache": tmp_path, **CUT}
    if method == "lissa":  # where it gets there in a few steps
        damping, options["steps"] = 20.0, 200
    options["damping"] = damping
    found = attribute(
        model(), ROWS, QUERIES, CASE.make(), method=method, fisher="sampled",
        samples=3, sample_seed=5, **options,
    )  # fmt: skip
    (queries,) = tmp_path.glob("queries-*")
    train, asked, curvature = (
        together(open_store(p))
        for p in (tmp_path / "train", queries, tmp_path / "curvature-sampled-3-5")
    )
    wanted = influence_by_inverse(
        method,
        train,
        asked,
        groups=[[name] for name in train],
        damping=damping,
        curvature=curvature,
        factors=_factors(open_store(tmp_path / "curvature-sampled-3-5")),
    )
    size = float(wanted.abs().max())
    np.testing.assert_allclose(found.values, wanted, rtol=1e-4, atol=1e-4 * size)
    assert found.provenance.options["fisher"] == "sampled"
    assert found.provenance.sources["curvature"]["task"]["output"]["samples"] == 3
    empirical = attribute(model(), ROWS, QUERIES, CASE.make(), method=method, **options)
    assert "fisher" not in empirical.provenance.options
    assert not np.allclose(found.values, empirical.values, rtol=1e-3, atol=0)


@pytest.mark.parametrize("validation", [QUERIES, None], ids=["trusted", "none"])
def test_mislabeled_takes_the_curvature_too(tmp_path, validation):
    options = {"cache": tmp_path, **CUT}
    found = mislabeled(
        model(), ROWS, validation, CASE.make(), fisher="sampled", samples=2, **options
    )
    assert found.scores.provenance.options["fisher"] == "sampled"
    assert (tmp_path / "curvature-sampled-2-0" / "manifest.json").is_file()


def test_a_margin_measures_doubt_as_the_loss_does():
    wrong = np.array([True, False, True, False, False])
    aucs = [
        mislabeled(
            model(), ROWS, QUERIES, CASE.make(), wrong=wrong, output=output, **CUT
        ).measured["auc_of_loss"]
        for output in ("loss", "margin")
    ]
    assert aucs[0] == aucs[1] != 0.5


def test_draws_go_with_data_that_changed(tmp_path):
    options = {"fisher": "sampled", "cache": tmp_path, **CUT}
    attribute(model(), ROWS, QUERIES, CASE.make(), **options)
    found = attribute(
        model(), ROWS[1:], QUERIES, CASE.make(), reuse=tmp_path / "train", **options
    )
    assert found.values.shape == (2, 4)
    store = open_store(tmp_path / "curvature-sampled-1-0")
    assert store.identity.about["reused"] == 4


def test_stores_of_different_outputs_do_not_meet_by_mistake(tmp_path):
    loss, queries = gathered(tmp_path / "l"), gathered(tmp_path / "q", QUERIES)
    margin, draws = gathered(tmp_path / "m", output="margin"), drawn(tmp_path / "d")
    both = "do not belong together: output: {} against {}; collect both with the same"
    with pytest.raises(StoreError, match=both.format("margin", "loss")):
        score(margin, queries)
    with pytest.raises(StoreError, match=both.format("loss", "margin")):
        score(loss, queries, curvature=margin)
    with pytest.raises(StoreError, match=both.format("margin", "loss")):
        score(margin, margin, curvature=draws)
    tail = (
        "are gradients at labels drawn from the model (output='sampled'), which say "
        "nothing of single examples; collect them with output='loss', and give this "
        "store as curvature= (--curvature)."
    )
    with refused(f"the training gradients {tail}", StoreError):
        score(draws, queries)
    with refused(f"the query gradients {tail}", StoreError):
        score(loss, draws)
    assert np.isfinite(score(loss, queries, curvature=draws).values).all()
    assert np.isfinite(score(margin, margin).values).all()


def test_plain_tensors_are_a_curvature_of_any_kind():
    rows = InMemorySource({"w": torch.ones(3, 2)})
    assert score(rows, rows, method="dot", curvature=rows).values.shape == (3, 3)


def test_draws_of_another_model_are_no_curvature_of_this_one(tmp_path):
    loss = gathered(tmp_path / "l")
    draws = collect(
        CASES["two texts"].model("sdpa"),
        CASES["two texts"].rows,
        CASES["two texts"].make(),
        out=tmp_path / "d",
        output="sampled",
    )
    with pytest.raises(StoreError, match="do not belong together: task "):
        score(loss, loss, curvature=draws)


NO_CURVATURE = (
    "{} has no curvature, so it cannot use a sampled Fisher; leave fisher='sampled' "
    "(--fisher) and the curvature out, or choose another method."
)


@pytest.mark.parametrize("name", ["dot", "cosine"])
def test_methods_without_curvature_refuse_draws(tmp_path, name):
    with refused(NO_CURVATURE.format(name)):
        attribute(model(), ROWS, QUERIES, CASE.make(), method=name, fisher="sampled")
    loss, draws = gathered(tmp_path / "l"), drawn(tmp_path / "d")
    with refused(NO_CURVATURE.format(name)):
        score(loss, loss, method=name, curvature=draws)


@pytest.mark.parametrize("normalize", ["example", "block"])
def test_unit_length_and_draws_exclude_each_other(normalize):
    with refused(f"normalize='{normalize}' would divide each gradient at drawn labels"):
        require_curvature(build("datainf", normalize=normalize))


@pytest.mark.parametrize(
    ("fisher", "options", "message"),
    [
        ("observed", {}, "fisher='observed' is unknown: expected one of: empirical, "),
        (None, {"output": "sampled"}, "output='sampled' is for `collect`: "),
        (None, {"samples": 2}, "samples=2 and sample_seed=0 belong to fisher='sampl"),
        ("empirical", {"sample_seed": 2}, "samples=1 and sample_seed=2 belong to f"),
        ("sampled", {"output": "margin"}, "fisher='sampled' is the curvature of the"),
    ],
)
def test_what_does_not_go_together_is_refused(fisher, options, message):
    with refused(message):
        require_fisher(fisher, build("datainf"), CollectOptions(**options))


def test_the_folder_is_named_by_what_chooses_the_draws():
    options = CollectOptions(samples=4, sample_seed=9)
    assert curvature_name(options) == "curvature-sampled-4-9"
    assert require_fisher(None, build("dot"), CollectOptions()) == "empirical"


def test_collected_gives_the_third_store_only_where_it_is_asked_for(tmp_path):
    with collected(model(), ROWS, QUERIES, CASE.make(), cache=tmp_path, **CUT) as pair:
        assert pair.curvature is None


def test_an_estimate_counts_the_draws():
    found = collect_estimate(
        model(), ROWS, CASE.make(), output="sampled", samples=3, **CUT
    )
    assert found.rows == 3 * len(ROWS)


def test_methods_that_need_more_than_losses_of_one_adapter_say_so_first():
    with refused("trak is made of gradients of the margin, got output='loss'; give "
                 "output='margin' (--output margin)."):  # fmt: skip
        attribute(model(), ROWS, QUERIES, CASE.make(), method="trak")
    with refused("less needs Adam's moments at checkpoints of the training, which an"):
        require_collected(build("less"), CollectOptions())
