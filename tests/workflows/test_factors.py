"""Factors of a store: gathered on the way, added later, resumed, made anew."""

from pathlib import Path
from typing import Any

import pytest
import torch

from datainf.capture.session import CaptureSession
from datainf.core.errors import OptionError
from datainf.core.factors import FactorSums, means
from datainf.integrations.peft import adapter_of
from datainf.store.factors import FACTORS_NAME, read_note, write_sums
from datainf.store.reader import open_store
from datainf.store.verify import verify
from datainf.workflows.attribute import attribute
from datainf.workflows.collect import collect
from datainf.workflows.factors import has_factors
from datainf.workflows.score import score
from tests.capture.peft_cases import PEFT_CASES, peft_model, task_and_rows
from tests.cases import decoder
from tests.workflows.collecting import ROWS, StoppedError, Told, Watched, run

OPTIONS: dict[str, Any] = {"shard_rows": 2, "batch_tokens": 20}


def task(**changes: Any) -> Watched:
    return Watched(told=Told(), **changes)


def factor_bytes(folder: Path) -> dict[str, bytes]:
    return {f.name: f.read_bytes() for f in sorted(folder.glob("factors*"))}


@pytest.fixture(scope="module")
def model() -> Any:
    return decoder()


@pytest.fixture(scope="module")
def whole(model: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store whose factors were gathered while it was filled."""
    folder = tmp_path_factory.mktemp("whole") / "s"
    run(task(), folder, model, factors=True, **OPTIONS)
    return folder


def test_factors_are_the_means_over_all_tokens(model: Any, whole: Path) -> None:
    total, watched = FactorSums(), task()
    with CaptureSession(model, adapter_of(model), watched) as session:
        for row in ROWS:
            session.gradients(watched.collate([row]), total)
    store = open_store(whole)
    for name, sums in total.blocks.items():
        found, right = store.factors(name), means(sums)
        assert found is not None
        for got, expected in (
            (found.inputs, right.inputs),
            (found.outputs, right.outputs),
        ):
            assert got is not None
            assert expected is not None
            torch.testing.assert_close(
                got, expected, rtol=0, atol=1e-5 * float(expected.abs().max())
            )
    assert verify(whole).ok
    assert [f.name for f in sorted(whole.glob("factors*"))] == [
        "factors-00004.safetensors",
        "factors.json",
    ]


def test_gathering_takes_no_pass_of_its_own(model: Any, tmp_path: Path) -> None:
    plain, gathered = task(), task()
    run(plain, tmp_path / "a", model, **OPTIONS)
    run(gathered, tmp_path / "b", model, factors=True, **OPTIONS)
    assert gathered.told.of("pass") == plain.told.of("pass")
    for name in ("shard-00000.safetensors", "shard-00003.safetensors", "manifest.json"):
        mine, other = (tmp_path / f / name for f in "ab")
        assert mine.read_bytes() == other.read_bytes()


def test_a_store_that_is_there_gets_them_by_one_pass_to_the_bit(
    model: Any, whole: Path, tmp_path: Path
) -> None:
    run(task(), tmp_path / "s", model, **OPTIONS)
    assert not has_factors(tmp_path / "s")
    late = task()
    run(late, tmp_path / "s", model, factors=True, **OPTIONS)
    assert ("factors", len(ROWS)) in late.told.of("stage")
    assert "gradients" not in [title for title, _ in late.told.of("stage")]
    assert factor_bytes(tmp_path / "s") == factor_bytes(whole)
    again = task()
    run(again, tmp_path / "s", model, factors=True, **OPTIONS)
    assert again.told.of("pass") == []


@pytest.mark.parametrize("stop_at", [2, 4, 5])
def test_an_interrupted_run_ends_with_the_same_factors_to_the_bit(
    model: Any, whole: Path, tmp_path: Path, stop_at: int
) -> None:
    with pytest.raises(StoppedError):
        run(task(stop_at=stop_at), tmp_path / "s", model, factors=True, **OPTIONS)
    run(task(), tmp_path / "s", model, factors=True, **OPTIONS)
    assert factor_bytes(tmp_path / "s") == factor_bytes(whole)
    assert verify(tmp_path / "s").ok


@pytest.mark.parametrize("lost", ["note", "sums", "flipped"])
def test_lost_or_damaged_factors_are_made_anew(
    model: Any, whole: Path, tmp_path: Path, lost: str
) -> None:
    folder = tmp_path / "s"
    run(task(), folder, model, factors=True, **OPTIONS)
    sums = folder / "factors-00004.safetensors"
    if lost == "flipped":
        data = bytearray(sums.read_bytes())
        data[-1] ^= 1
        sums.write_bytes(data)
    else:
        (folder / FACTORS_NAME if lost == "note" else sums).unlink()
    run(task(), folder, model, factors=True, **OPTIONS)
    assert factor_bytes(folder) == factor_bytes(whole)


def test_factors_that_stop_early_are_completed_and_are_none_until_then(
    model: Any, whole: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "s"
    run(task(), folder, model, **OPTIONS)
    note = read_note(whole)
    assert note is not None
    write_sums(folder, FactorSums(), shards=4, of="0" * 64)
    assert not has_factors(folder)
    assert verify(folder).faults == ("factors.json: these are factors of other rows",)
    run(task(), folder, model, factors=True, **OPTIONS)
    assert factor_bytes(folder) == factor_bytes(whole)


@pytest.mark.parametrize("first", [4, 5])
def test_a_store_that_grew_has_the_factors_of_all_its_rows(
    model: Any, whole: Path, tmp_path: Path, first: int
) -> None:
    folder = tmp_path / "s"
    options: dict[str, Any] = {"out": folder, "factors": True, **OPTIONS}
    collect(model, ROWS[:first], task(), **options)
    collect(model, ROWS, task(), **{**options, "factors": False})
    assert not has_factors(folder)
    collect(model, ROWS, task(), **options)
    assert factor_bytes(folder) == factor_bytes(whole)
    assert verify(folder).ok


def test_reused_rows_count_too(model: Any, tmp_path: Path) -> None:
    run(task(), tmp_path / "old", model, factors=True, **OPTIONS)
    shorter = [*ROWS[:2], *ROWS[3:]]
    hows: Any = (("new", {"reuse": tmp_path / "old"}), ("alone", {}))
    reused, alone = (
        collect(
            model, shorter, task(), out=tmp_path / name, factors=True, **how, **OPTIONS
        )
        for name, how in hows
    )
    name = reused.layout.names[0]
    mine, right = reused.factors(name), alone.factors(name)
    assert mine is not None
    assert right is not None
    assert mine.inputs is not None
    assert right.inputs is not None
    torch.testing.assert_close(mine.inputs, right.inputs)


def test_attribute_gathers_them_for_the_training_rows_alone(
    model: Any, tmp_path: Path
) -> None:
    attribute(model, ROWS, ROWS[:2], task(), cache=tmp_path)
    scores = attribute(model, ROWS, ROWS[:2], task(), cache=tmp_path, method="ekfac")
    assert has_factors(tmp_path / "train")
    (queries,) = tmp_path.glob("queries-*")
    assert not has_factors(queries)
    assert scores.values.shape == (2, len(ROWS))
    assert scores.provenance.notes == ()


def test_a_store_without_factors_is_refused_by_score(
    model: Any, tmp_path: Path
) -> None:
    store = run(task(), tmp_path / "s", model, **OPTIONS)
    with pytest.raises(OptionError, match=r"^ekfac needs Kronecker factors, and the "):
        score(store, store, method="ekfac")


def test_factors_of_an_encoder_decoder_do_not_depend_on_its_batches(
    tmp_path: Path,
) -> None:
    case = PEFT_CASES["LoRA"]
    model = peft_model(case, "seq2seq", dtype=torch.float64)
    asked, rows = task_and_rows(case, "seq2seq")
    alone, together = (
        collect(model, rows, asked, out=tmp_path / str(n), factors=True, batch_tokens=n)
        for n in (1, 60)
    )
    for block in alone.layout.names:
        found, expected = together.factors(block), alone.factors(block)
        assert found is not None
        assert expected is not None
        for side in ("inputs", "outputs"):
            torch.testing.assert_close(getattr(found, side), getattr(expected, side))
