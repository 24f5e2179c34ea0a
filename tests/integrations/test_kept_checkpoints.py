"""Copies of checkpoints: whole, with the rate of every step, over an interruption."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from datainf.core.errors import OptionError, StoreError
from datainf.integrations.checkpoints import find_checkpoints
from datainf.integrations.kept_checkpoints import KeptCheckpoints
from datainf.integrations.optimizer_state import learning_rates


def refused(message: str, kind: type[Exception] = OptionError) -> Any:
    return pytest.raises(kind, match=f"^{re.escape(message)}$")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """What a Trainer leaves."""
    folder = tmp_path / "checkpoint-9"
    folder.mkdir()
    for name in ("adapter_config.json", "adapter_model.safetensors", "optimizer.pt"):
        (folder / name).write_text(name)
    (folder / "rng_state.pth").write_text("not needed")
    return folder


def trained(kept: KeptCheckpoints, source: Path, *steps: int) -> None:
    """Take steps with the rate 1 / step, and keep every third."""
    for step in steps:
        kept.note(step, 1 / step)
        if step % 3 == 0:
            kept.keep(source, step)


def test_a_copy_holds_what_methods_read_and_nothing_else(source, tmp_path):
    kept = KeptCheckpoints(tmp_path / "kept", moments=True)
    kept.begin(0)
    trained(kept, source, 1, 2, 3)
    (copy,) = find_checkpoints(tmp_path / "kept")
    names = {path.name for path in copy.iterdir()}
    adapter = {"adapter_config.json", "adapter_model.safetensors"}
    assert names == {*adapter, "optimizer.pt", "trainer_state.json"}
    assert all((copy / n).read_text() == n for n in (*adapter, "optimizer.pt"))
    bare = KeptCheckpoints(tmp_path / "bare", moments=False)
    bare.begin(0)
    bare.keep(source, 3)
    assert {p.name for p in (tmp_path / "bare" / "checkpoint-3").iterdir()} == {
        *adapter,
        "trainer_state.json",
    }


def test_rates_are_the_mean_of_every_step_between_copies(source, tmp_path):
    kept = KeptCheckpoints(tmp_path / "kept", moments=False)
    kept.begin(0)
    trained(kept, source, *range(1, 7))
    found = find_checkpoints(tmp_path / "kept")
    assert learning_rates(found) == pytest.approx(
        [(1 + 1 / 2 + 1 / 3) / 3, (1 / 4 + 1 / 5 + 1 / 6) / 3]
    )
    assert learning_rates(found[1:]) == pytest.approx(
        [sum(1 / step for step in range(1, 7)) / 6]
    )


def test_an_interruption_leaves_no_trace(source, tmp_path):
    """Steps after the checkpoint it goes on from are taken again, and kept once."""
    whole = KeptCheckpoints(tmp_path / "whole", moments=False)
    whole.begin(0)
    trained(whole, source, *range(1, 10))
    cut = KeptCheckpoints(tmp_path / "cut", moments=False)
    cut.begin(0)
    trained(cut, source, *range(1, 8))
    again = KeptCheckpoints(tmp_path / "cut", moments=False)
    again.begin(3)
    assert [p.name for p in find_checkpoints(tmp_path / "cut")] == ["checkpoint-3"]
    trained(again, source, *range(4, 10))
    states = [
        [
            json.loads((place / "trainer_state.json").read_text())
            for place in find_checkpoints(tmp_path / name)
        ]
        for name in ("whole", "cut")
    ]
    assert states[0] == states[1]
    assert len(states[0]) == 3


def test_copies_of_another_training_are_refused(source, tmp_path):
    kept = KeptCheckpoints(tmp_path / "kept", moments=False)
    kept.begin(0)
    trained(kept, source, 1, 2, 3)
    with refused(
        f"{tmp_path / 'kept'} holds checkpoints of an earlier training; resume that "
        "one, or give the callback another out."
    ):
        kept.begin(0)
    with refused(
        f"the training goes on after step 4, and {tmp_path / 'kept'} has no checkpoint "
        "of that step, so what came before is not known; resume with the callback and "
        "out of the beginning, or start over."
    ):
        kept.begin(4)


def test_a_checkpoint_that_lacks_something_is_refused(source, tmp_path):
    kept = KeptCheckpoints(tmp_path / "kept", moments=True)
    (source / "optimizer.pt").unlink()
    with refused(
        f"{source} has no optimizer.pt, which less needs; train with "
        "save_only_model=False.",
        StoreError,
    ):
        kept.keep(source, 3)
    (source / "adapter_config.json").unlink()
    with refused(
        f"{source} holds no adapter (adapter_config.json and its weights); the Trainer "
        "must save the model of peft itself, with one adapter named 'default'.",
        StoreError,
    ):
        kept.keep(source, 3)
    assert not (tmp_path / "kept").exists()
