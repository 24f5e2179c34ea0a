"""`collect` on a folder that holds something: resumed, reused, replayed, refused."""

import re
from typing import Any

import pytest
import torch

from datainf.capture.devices import batch_tokens_on
from datainf.core.errors import DatainfWarning, MemoryLimitError, StoreError
from datainf.integrations.tasks.causal_lm import CausalLM
from datainf.store.facts import describe_store
from datainf.store.reader import GradientStore, open_store
from datainf.store.reuse import move_aside
from datainf.workflows.collect import collect
from tests.cases import LENGTHS, TokenTask, decoder
from tests.store.stores import files
from tests.tiny_models import tiny_llama, tiny_tokenizer, with_lora
from tests.workflows.collecting import (
    PROMPTS,
    ROWS,
    StoppedError,
    Watched,
    relative_error,
    right_gradients,
    run,
    together,
)

N = len(LENGTHS)
CUT: dict[str, Any] = {"shard_rows": 3, "batch_tokens": 40}
ALONE: dict[str, Any] = {"shard_rows": 2, "batch_tokens": 1}


def refused(message: str, kind: type[Exception] = StoreError) -> Any:
    return pytest.raises(kind, match=f"^{re.escape(message)}$")


@pytest.mark.parametrize("error", [StoppedError(), KeyboardInterrupt()], ids=type)
def test_an_interrupted_run_goes_on_after_its_last_whole_shard(tmp_path, error):
    model = decoder()
    collect(model, ROWS, TokenTask(), out=tmp_path / "whole", **ALONE)
    with pytest.raises(type(error)):
        # The sixth example: in the middle of the third of four shards.
        run(Watched(stop_at=6, error=error), tmp_path / "cut", model, **ALONE)
    assert describe_store(tmp_path / "cut")["shards"] == "2 of 4"
    task = Watched()
    run(task, tmp_path / "cut", model, **ALONE)
    assert files(tmp_path / "cut") == files(tmp_path / "whole")
    # Whole shards are not made again: the examples of the last two, and no other.
    assert sorted(task.told.while_collecting("pass")) == [(1, 2), (1, 11), (1, 17)]
    assert task.told.of("say")[1:] == [
        f"{tmp_path / 'cut'}: 4 of {N} examples are there already"
    ]
    assert task.told.while_collecting("step") == [4, 1, 1, 1]


def test_batches_of_which_nothing_is_said_go_on_as_those_of_the_store_there(tmp_path):
    model = decoder()
    with pytest.raises(StoppedError):
        run(Watched(stop_at=6), tmp_path / "cut", model, **ALONE)
    rest = {**ALONE, "batch_tokens": None}
    store = run(Watched(), tmp_path / "cut", model, **rest)
    assert store.manifest.options.batch_tokens == ALONE["batch_tokens"]
    collect(model, ROWS, TokenTask(), out=tmp_path / "whole", **ALONE)
    assert files(tmp_path / "cut") == files(tmp_path / "whole")


def test_batches_of_which_nothing_is_said_are_those_of_a_reused_store(tmp_path):
    model = decoder()
    collect(model, ROWS[:4], TokenTask(), out=tmp_path / "first", **CUT)
    more = {**CUT, "batch_tokens": None, "reuse": tmp_path / "first"}
    store = collect(model, ROWS, TokenTask(), out=tmp_path / "second", **more)
    assert store.manifest.options.batch_tokens == CUT["batch_tokens"]
    # As a run leaves it that was cut off before the new store began.
    move_aside(tmp_path / "first")
    store = collect(model, ROWS, TokenTask(), out=tmp_path / "first", **more)
    assert store.manifest.options.batch_tokens == CUT["batch_tokens"]


def test_batches_of_which_nothing_is_said_are_those_of_the_device(tmp_path):
    store = collect(decoder(), ROWS, TokenTask(), out=tmp_path / "new")
    expected = batch_tokens_on(torch.device("cpu"))
    assert store.manifest.options.batch_tokens == expected


def test_a_finished_store_is_reused_without_a_pass_of_the_model(tmp_path):
    model, out = decoder(), tmp_path / "store"
    collect(model, ROWS, TokenTask(), out=out)
    before = files(out)
    task = Watched()
    store = run(task, str(out), model)
    assert isinstance(store, GradientStore)
    assert task.told.of("pass") == []
    assert files(out) == before
    assert task.told.of("say") == [
        "adapter 'default' (CAUSAL_LM): 8 blocks, 224 parameters, all collected\n"
        "  rule Linear: 8 blocks, 224 parameters",
        f"{out}: all {N} examples are there already",
    ]


def test_a_lost_shard_is_made_again_and_said_once(tmp_path):
    model, out = decoder(), tmp_path / "store"
    collect(model, ROWS, TokenTask(), out=out, **ALONE)
    before = files(out)
    (out / "shard-00001.safetensors").unlink()
    task = Watched()
    message = (
        f"{out}: shard 1 is missing or of another size than it was; it is made again."
    )
    with pytest.warns(DatainfWarning) as warned:
        run(task, out, model, **ALONE)
    ours = [one for one in warned if one.category is DatainfWarning]
    assert [str(one.message) for one in ours] == [message]
    assert sorted(task.told.while_collecting("pass")) == [(1, 5), (1, 13)]
    assert files(out) == before


# --- memory -------------------------------------------------------------------------


def test_halvings_are_recorded_and_replayed_to_the_bit(tmp_path):
    model, options = decoder(), {"shard_rows": 5, "batch_tokens": 64}
    task = Watched(room=17)
    store = run(task, tmp_path / "whole", model, **options)
    assert [shard.halved_at for shard in store.manifest.shards] == [(0, 0), (0,)]
    assert describe_store(store.path)["halvings"] == 3
    assert task.told.of("say")[1:] == [
        "memory ran out: shard 0 goes on with smaller batches",
        "memory ran out: shard 0 goes on with smaller batches",
        "memory ran out: shard 1 goes on with smaller batches",
    ]
    tried = [(4, 13), (2, 13)]
    first = [(1, 13), (1, 11), (2, 7), (1, 3)]
    second = [(2, 17), (1, 17), (1, 2)]
    assert task.told.while_collecting("pass") == [*tried, *first, *second]
    right = right_gradients(model, TokenTask(), ROWS)
    assert relative_error(together(store), right) <= 1e-5
    with pytest.raises(StoppedError):
        run(Watched(room=17, stop_at=5), tmp_path / "cut", model, **options)
    assert describe_store(tmp_path / "cut")["shards"] == "0 of 2"
    task = Watched(room=17)
    run(task, tmp_path / "cut", model, **options)
    # The halvings of the first shard are known; those of the second are found again.
    assert task.told.while_collecting("pass") == [*first, *second]
    assert files(tmp_path / "cut") == files(tmp_path / "whole")


def test_one_example_that_does_not_fit_is_refused(tmp_path):
    message = (
        "one example of 17 tokens does not fit into memory; lower the task's "
        "max_length or switch gradient checkpointing on."
    )
    with refused(message, MemoryLimitError):
        run(Watched(room=16), tmp_path / "store", decoder(), batch_tokens=17)


# --- stores of something else -------------------------------------------------------


OTHERS: dict[str, dict[str, Any]] = {
    "another adapter": {"model": lambda: with_lora(tiny_llama(), "CAUSAL_LM", seed=1)},
    "another base model": {"model": lambda: with_lora(tiny_llama(seed=1), "CAUSAL_LM")},
    "another adapter; other blocks": {
        "model": lambda: with_lora(tiny_llama(), "CAUSAL_LM", r=3)
    },
    "task max_length: 256 against 101": {
        "task": CausalLM(tiny_tokenizer(), max_length=101)
    },
    "other data": {"rows": [*PROMPTS[1:], PROMPTS[0]]},
    "other data; rows: 7 against 5": {"rows": PROMPTS[:5]},
    "dtype: fp32 against bf16": {"dtype": "bf16"},
    "batch_tokens: 40 against 41": {"batch_tokens": 41},
    "shard_rows: 3 against 2": {"shard_rows": 2},
    "store_text: True against False": {"store_text": False},
}


@pytest.mark.parametrize("finished", [True, False], ids=["finished", "unfinished"])
@pytest.mark.parametrize(("differences", "changes"), OTHERS.items(), ids=OTHERS)
def test_a_store_of_something_else_is_refused(tmp_path, differences, changes, finished):
    out, plain = tmp_path / "store", CausalLM(tiny_tokenizer())
    collect(decoder(), PROMPTS, plain, out=out, **CUT)
    if not finished:
        unfinish(out)
    before = files(out)
    given = dict(changes)
    model = given.pop("model", decoder)()
    rows, task = given.pop("rows", PROMPTS), given.pop("task", plain)
    ways = "Choose another folder, or delete this one."
    if differences.startswith("other data"):
        ways = (
            "Choose another folder, delete this one, or give reuse=DIR (--reuse DIR) "
            "to keep the rows that did not change."
        )
    with refused(f"{out} holds a store of something else: {differences}. {ways}"):
        collect(model, rows, task, out=out, **{**CUT, **given})
    assert files(out) == before


def unfinish(out: Any) -> None:
    """Take the last shard of a store back, as if the run had died before it."""
    manifest = open_store(out).manifest
    last = manifest.shards[-1]
    (out / last.name).unlink()
    (out / "manifest.json").write_bytes(manifest.without_shard(last.number).to_bytes())


def test_a_store_that_another_version_began_is_refused(tmp_path, monkeypatch):
    out = tmp_path / "store"
    collect(decoder(), ROWS, TokenTask(), out=out, **CUT)
    made_by = open_store(out).manifest.library_version
    monkeypatch.setattr("datainf.workflows.collect.__version__", "9.9")
    collect(decoder(), ROWS, TokenTask(), out=out, **CUT)  # a finished one serves
    unfinish(out)
    with refused(
        f"{out} holds a store of something else: begun by datainf {made_by} and not "
        "finished, this is 9.9. Choose another folder, or delete this one."
    ):
        collect(decoder(), ROWS, TokenTask(), out=out, **CUT)


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.txt").write_text("two years of work")
    message = (
        f"{tmp_path} has no manifest.json but holds thesis.txt; give a new or empty "
        "folder."
    )
    with refused(message):
        collect(decoder(), ROWS, TokenTask(), out=tmp_path)
