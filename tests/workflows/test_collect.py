"""`collect`: right numbers, an untouched model, stores that resume and refuse."""

import re
from functools import partial
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import nn

from datainf.core.errors import (
    AdapterError,
    DatainfWarning,
    OptionError,
)
from datainf.integrations.tasks.callable import CallableTask
from datainf.integrations.tasks.causal_lm import CausalLM
from datainf.integrations.tasks.sequence_classification import SequenceClassification
from datainf.store.facts import describe_store
from datainf.store.reader import GradientStore
from datainf.workflows.collect import collect, collect_estimate, collect_options
from datainf.workflows.estimate import estimate
from tests.cases import LENGTHS, TokenTask, decoder, encoder, token_rows
from tests.tiny_models import (
    tiny_bert_classifier,
    tiny_llama,
    tiny_tokenizer,
    with_lora,
)
from tests.workflows.collecting import (
    PROMPTS,
    ROWS,
    StoppedError,
    Told,
    Watched,
    relative_error,
    right_gradients,
    run,
    state_of,
    together,
)

N = len(LENGTHS)
TEXTS = [{"text": "abc" * n, "label": n % 3} for n in LENGTHS]
CUT: dict[str, Any] = {"shard_rows": 3, "batch_tokens": 40}


def refused(message: str, kind: type[Exception]) -> Any:
    return pytest.raises(kind, match=f"^{re.escape(message)}$")


@pytest.fixture
def honest_softmax(monkeypatch):
    """Keep float64 through Llama's eager attention, whose softmax is float32."""
    softmax = nn.functional.softmax

    def keep(x, dim=-1, dtype=None, **options):
        wide = None if x.dtype == torch.float64 else dtype
        return softmax(x, dim, dtype=wide, **options)

    monkeypatch.setattr(nn.functional, "softmax", keep)


def checkpointed(model: Any) -> Any:
    model.gradient_checkpointing_enable({"use_reentrant": False})
    return model.train()


@pytest.mark.usefixtures("honest_softmax")
@pytest.mark.parametrize("checkpointing", [False, True], ids=["plain", "checkpointing"])
@pytest.mark.parametrize("attn", ["sdpa", "eager"])
@pytest.mark.parametrize("kind", ["text", "prompts, left", "prompts, right"])
def test_gradients_equal_the_autograd_loop_and_the_model_stays_as_it_was(
    tmp_path, kind, attn, checkpointing
):
    task: Any
    rows: list[Any]
    if kind == "text":
        base, rows = tiny_bert_classifier(dtype=torch.float64, attn=attn), TEXTS
        model = with_lora(base, "SEQ_CLS")
        task = SequenceClassification(tiny_tokenizer(), num_labels=3)
    else:
        base, rows = tiny_llama(dtype=torch.float64, attn=attn), PROMPTS
        model = with_lora(base, "CAUSAL_LM")
        task = CausalLM(tiny_tokenizer(kind.removeprefix("prompts, ")))
    if checkpointing:
        checkpointed(model)
    next(model.parameters()).grad = torch.ones_like(next(model.parameters()))
    before = state_of(model)
    # A warning, such as "checkpointing had no effect", would be an error here.
    store = collect(model, rows, task, out=tmp_path / "store", **CUT)
    assert state_of(model) == before
    model.gradient_checkpointing_disable()
    right = right_gradients(model, task, rows)
    assert len(store) == N
    assert relative_error(together(store), right) <= 1e-10
    with torch.no_grad():
        losses = torch.cat([task.losses(model, task.collate([row])) for row in rows])
    torch.testing.assert_close(
        torch.from_numpy(store.losses), losses.float(), rtol=1e-6, atol=0
    )


def test_the_model_stays_as_it_was_after_an_error_too(tmp_path):
    model = decoder().train()
    before = state_of(model)
    with pytest.raises(StoppedError):
        run(Watched(stop_at=2), tmp_path / "store", model, **CUT)
    assert state_of(model) == before


def dora(base: Any) -> Any:
    config = LoraConfig(
        r=2, target_modules=["q_proj", "v_proj"], use_dora=True, task_type="CAUSAL_LM"
    )
    model = get_peft_model(base, config).eval()
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            nn.init.normal_(parameter, std=0.2)
    return model


def unfrozen_by_hand() -> Any:
    model = decoder()
    model.get_input_embeddings().weight.requires_grad_()
    return model


ADAPTERS = {
    "lora": decoder,
    "saved modules": lambda: with_lora(
        tiny_llama(),
        "CAUSAL_LM",
        modules_to_save=["embed_tokens", "norm", "lm_head"],
    ),
    "head and biases": lambda: with_lora(
        tiny_bert_classifier(), "SEQ_CLS", bias="lora_only", modules_to_save=["pooler"]
    ),
    "dora": lambda: dora(tiny_llama()),
    "unfrozen by hand": unfrozen_by_hand,
}


@pytest.mark.filterwarnings("ignore:.*take the looped path")
@pytest.mark.parametrize("make", ADAPTERS.values(), ids=ADAPTERS)
def test_no_trainable_parameter_is_dropped(tmp_path, make):
    model = make()
    trainable = [p.numel() for p in model.parameters() if p.requires_grad]
    if make is not unfrozen_by_hand:
        # As an adapter is loaded for inference: what it trains does not change.
        model.requires_grad_(False)
    classifies = model.config.model_type == "bert"
    rows = token_rows("encoder" if classifies else "decoder")
    store = collect(model, rows, TokenTask(), out=tmp_path / "store")
    assert sorted(store.layout.sizes.values()) == sorted(trainable)
    got = together(store)
    assert relative_error(got, right_gradients(model, TokenTask(), rows)) <= 1e-5
    assert all(bool(rows.any()) for rows in got.values())


def test_the_coverage_report_comes_before_the_work(tmp_path):
    told = Told()
    run(Watched(told=told), tmp_path / "store", decoder())
    report = (
        "adapter 'default' (CAUSAL_LM): 8 blocks, 224 parameters, all collected\n"
        "  rule Linear: 8 blocks, 224 parameters"
    )
    assert told.of("say") == [report]
    assert told.of("stage") == [("reading examples", N), ("gradients", N)]
    said = told.events.index(("say", report))
    assert told.events.index(("stage", ("gradients", N))) == said + 1
    # Before it, only the probe of two short examples.
    probed = {what for kind, what in told.events[:said] if kind == "pass"}
    assert probed == {(1, 2), (1, 3), (2, 3)}
    assert sum(told.while_collecting("step")) == N
    assert sum(shape[0] for shape in told.while_collecting("pass")) == N


def test_parameters_of_the_paper_leave_out_the_rest_and_say_so(tmp_path):
    told, model = Told(), encoder()
    store = collect(
        model,
        token_rows("encoder"),
        TokenTask(),
        out=tmp_path / "store",
        progress=told,
        parameters="paper",
    )
    assert told.of("say") == [
        "adapter 'default' (SEQ_CLS): 9 blocks, 304 parameters, all collected\n"
        "  rule Linear: 9 blocks, 304 parameters\n"
        "  left out, parameters=paper: classifier.bias"
    ]
    coverage = {row["block"]: row["path"] for row in store.manifest.coverage}
    assert coverage.pop("classifier.bias") == "left out"
    assert coverage == dict.fromkeys(store.layout.names, "rule Linear")


def test_the_store_says_what_it_was_made_from(tmp_path):
    model = decoder()
    model.config._name_or_path = "base/of-the-test"
    store = collect(model, ROWS, TokenTask(), out=tmp_path / "store", dtype="bf16")
    facts = describe_store(store.path)
    assert facts["about"] == {
        "model": "base/of-the-test",
        "adapter": "default",
        "task_type": "CAUSAL_LM",
    }
    assert (facts["dtype"], facts["task"]) == ("bf16", {"name": "tokens"})
    assert list(store.examples["tokens"]) == list(LENGTHS)
    assert list(store.examples["text"]) == [str(row["input_ids"]) for row in ROWS]


# --- what may be collected ----------------------------------------------------------


def mean_square(model: nn.Module, batch: Any, power: int = 2) -> torch.Tensor:
    """A loss of the tests' own: no labels, no task."""
    hidden = model(**batch).logits.abs().pow(power).mean(dim=2)
    return (hidden * batch["attention_mask"]).sum(dim=1)


class Scaled:
    """A loss that is an object."""

    def __call__(self, model: nn.Module, batch: Any) -> torch.Tensor:
        return 3 * mean_square(model, batch)


LOSSES = {
    "function": mean_square,
    "lambda": lambda model, batch: mean_square(model, batch) + 1,
    "partial": partial(mean_square, power=3),
    "object": Scaled(),
}


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_any_function_of_model_and_batch_is_a_task(tmp_path, loss):
    rows = [{"input_ids": row["input_ids"], "note": "n"} for row in ROWS]
    model = decoder(dtype=torch.float64)
    store = collect(model, rows, loss, out=tmp_path / "store", batch_tokens=40)
    assert list(store.examples["tokens"]) == list(LENGTHS)
    right = right_gradients(model, CallableTask(loss), rows)
    assert relative_error(together(store), right) <= 1e-10


def test_another_adapter_of_the_model_is_collected_by_name(tmp_path):
    model = decoder(dtype=torch.float64)
    model.add_adapter("second", LoraConfig(r=3, target_modules=["v_proj"]))
    model.double().eval()
    for name, parameter in model.named_parameters():
        if "lora_B.second" in name:
            nn.init.normal_(parameter, std=0.2)
    model.set_adapter("default")
    before, out = state_of(model), tmp_path / "second"
    store = collect(model, ROWS, TokenTask(), out=out, adapter_name="second")
    assert model.active_adapters == ["default"]
    assert state_of(model) == before
    assert {shape[0] for name, shape in shapes(store) if "lora_A" in name} == {3}
    model.set_adapter("second")
    right = right_gradients(model, TokenTask(), ROWS, adapter_name="second")
    assert relative_error(together(store), right) <= 1e-10


def shapes(store: GradientStore) -> list[tuple[str, tuple[int, ...]]]:
    return [(block.name, block.shape) for block in store.layout]


def test_a_classifiers_adapter_is_refused_for_a_language_model(tmp_path):
    message = (
        "the adapter was trained for SEQ_CLS, the task causal-lm needs CAUSAL_LM; use "
        "the task sequence-classification."
    )
    told, task = Told(), CausalLM(tiny_tokenizer())
    with refused(message, AdapterError):
        collect(encoder(), PROMPTS, task, out=tmp_path / "store", progress=told)
    assert told.events == []
    assert not (tmp_path / "store").exists()


def test_truncated_texts_are_counted(tmp_path):
    task = SequenceClassification(tiny_tokenizer(), num_labels=3, max_length=31)
    message = (
        "3 of 7 examples are longer than max_length=31 and were cut; their gradients "
        "are those of what is left."
    )
    with pytest.warns(DatainfWarning) as warned:
        store = collect(encoder(), TEXTS, task, out=tmp_path / "store")
    ours = [str(one.message) for one in warned if one.category is DatainfWarning]
    assert ours == [message]
    assert list(store.examples["tokens"]) == [22, 10, 31, 16, 31, 7, 31]


def test_an_unknown_option_is_refused_with_the_near_one(tmp_path):
    message = (
        "option 'dtyp' is unknown: expected one of: dtype, project, project_seed, "
        "parameters, output, samples, sample_seed, batch_tokens, shard_rows, "
        "store_text, on_nonfinite, reuse, factors; did you mean 'dtype'?."
    )
    with refused(message, OptionError):
        collect(decoder(), ROWS, TokenTask(), out=tmp_path / "store", dtyp="bf16")
    assert collect_options({"dtype": "bf16"}).dtype == "bf16"


# --- the estimate -------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_the_estimate_tells_the_size_of_the_store_and_writes_nothing(
    tmp_path, monkeypatch, dtype
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    model = with_lora(tiny_llama(), "CAUSAL_LM", r=13)
    rows, task = [row for row in ROWS for _ in range(13)], Watched()
    before = state_of(model)
    options: dict[str, Any] = {"dtype": dtype, "shard_rows": 31}
    found = collect_estimate(model, rows, task, progress=task.told, **options)
    assert list(tmp_path.iterdir()) == []
    assert state_of(model) == before
    assert task.told.of("say") == [
        "adapter 'default' (CAUSAL_LM): 8 blocks, 1,456 parameters, all collected\n"
        "  rule Linear: 8 blocks, 1,456 parameters"
    ]
    store = collect(model, rows, TokenTask(), out="store", **options)
    assert (found.rows, found.blocks, found.parameters) == (91, 8, 1456)
    size = sum(p.stat().st_size for p in store.path.glob("*.safetensors"))
    assert found.disk_bytes == pytest.approx(size, rel=0.03)


def test_the_estimate_chooses_shards_as_collect_does(monkeypatch):
    asked = []

    def spy(*arguments, **options):
        asked.append(options["shard_rows"])
        return estimate(*arguments, **options)

    monkeypatch.setattr("datainf.workflows.collect.estimate", spy)
    choices: list[dict[str, Any]] = [{}, {"dtype": "bf16"}, {"shard_rows": 5}]
    for options in choices:
        collect_estimate(decoder(), ROWS, TokenTask(), **options)
    assert asked == [64 * 2**20 // (4 * 224), 64 * 2**20 // (2 * 224), 5]
