"""One shard: order, halving when memory runs out, replay."""

import re
from typing import Any

import pytest
import torch

from datainf.capture.collect import collect_shard
from datainf.capture.session import CaptureSession
from datainf.core.errors import MemoryLimitError
from datainf.integrations.peft import adapter_of
from tests.cases import LENGTHS, TokenTask, decoder, token_rows


class Cramped(CaptureSession):
    """A session on a device that holds so many padded tokens and no more."""

    room = 10**9
    error: BaseException = torch.OutOfMemoryError("CUDA out of memory.")

    def gradients(self, batch: Any, factors: Any = None) -> Any:
        if batch["input_ids"].numel() > self.room:
            raise self.error
        return super().gradients(batch, factors)


def shard(room: int = 10**9, error: BaseException | None = None, **options: Any) -> Any:
    model, task, rows = decoder(dtype=torch.float64), TokenTask(), token_rows("decoder")
    session = Cramped(model, adapter_of(model), task)
    session.room = room
    if error is not None:
        session.error = error
    with session:
        return collect_shard(session, task, rows, lengths=LENGTHS, **options)


def close(left: Any, right: Any) -> None:
    torch.testing.assert_close(left.losses, right.losses)
    for name in right.gradients:
        torch.testing.assert_close(left.gradients[name], right.gradients[name])


def test_rows_come_in_the_order_of_the_examples_whatever_the_budget() -> None:
    whole = shard(budget=10**6)
    for budget in (1, 20, 40):
        close(shard(budget=budget), whole)


def test_progress_counts_every_example_once() -> None:
    done: list[int] = []
    shard(budget=30, on_batch=done.append)
    assert sum(done) == len(LENGTHS)
    assert len(done) > 1


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate"),
        RuntimeError(
            "DefaultCPUAllocator: can't allocate memory: you tried to allocate"
        ),
        MemoryError(),
    ],
)
def test_when_memory_runs_out_the_budget_halves_and_the_answer_stays(
    error: BaseException,
) -> None:
    halvings: list[int] = []
    found = shard(room=20, budget=128, error=error, on_halving=halvings.append)
    assert halvings
    close(found, shard(budget=10**6))


def test_recorded_halvings_replay_to_the_bit() -> None:
    halvings: list[int] = []
    live = shard(room=20, budget=128, on_halving=halvings.append)
    again = shard(room=20, budget=128, halved_at=halvings)
    assert torch.equal(live.losses, again.losses)
    assert all(
        torch.equal(live.gradients[name], again.gradients[name])
        for name in live.gradients
    )


def test_one_example_that_does_not_fit_is_refused_by_length() -> None:
    with pytest.raises(
        MemoryLimitError,
        match=re.escape(
            "one example of 17 tokens does not fit into memory; lower the task's "
            "max_length or switch gradient checkpointing on."
        ),
    ):
        shard(room=10, budget=128)


def test_other_errors_pass_through() -> None:
    with pytest.raises(RuntimeError, match="unrelated"):
        shard(room=1, budget=128, error=RuntimeError("unrelated"))


def test_memory_is_given_back_before_the_next_try(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    emptied: list[int] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: emptied.append(1))
    shard(room=20, budget=128)
    assert emptied
