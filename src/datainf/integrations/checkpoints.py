"""Checkpoints of a training: which there are, and their weights in a model for a while.

A folder `checkpoint-STEP` of the Trainer's holds the adapter (`adapter_config.json` and
its weights); what else it holds `optimizer_state.py` reads.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import peft
from torch import Tensor
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from datainf.core.errors import AdapterError, OptionError
from datainf.integrations.adapters import config_of, weights_of
from datainf.integrations.fingerprint import CHOICES

CHECKPOINTS = "checkpoints"
"""Beside an adapter: the folder that holds those of its training."""
RUN_FILE = "run.json"
"""In that folder: hashes of what is trained."""
_CONFIG = "adapter_config.json"
# What scales or chooses an adapter's use, beside what its tensors show.
_COMPARED = (
    "peft_type",
    "lora_alpha",
    "alpha",
    "use_rslora",
    "alpha_pattern",
    *CHOICES,
)
_TAKEN_OUT = ("pissa", "olora", "corda", "loftq")
_SAME = "give checkpoints of the training that made this adapter."


def find_checkpoints(
    place: str | Path | Sequence[str | Path], limit: int | None = None
) -> list[Path]:
    """Find the checkpoints that are asked for.

    Args:
        place: A folder with folders `checkpoint-STEP`, or one that has them in a folder
            `checkpoints`, as an adapter's; or one checkpoint's own folder, or a list of
            several.
        limit: At most so many, evenly spread over the training, the last among them.

    Returns:
        Their folders, at least one; by their steps, or in the order they were given.

    Raises:
        OptionError: If there is none, or two have the same name.
        AdapterError: If one holds no adapter.
    """
    if isinstance(place, str | Path):
        place = Path(place).resolve()
        folders = [place] if _is_checkpoint(place) else _below(place)
    else:
        folders = [Path(one).resolve() for one in _several(place)]
    if not folders:
        raise OptionError(
            f"no checkpoints in {place}: expected folders checkpoint-STEP; train with "
            "save_strategy: epoch, or give the folders themselves."
        )
    names = [folder.name for folder in folders]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise OptionError(
            f"checkpoints must have different names, got twice: {', '.join(twice)}."
        )
    for folder in folders:
        if not (folder / _CONFIG).is_file():
            raise AdapterError(
                f"{folder} holds no adapter ({_CONFIG} is not there); give folders "
                "that the Trainer wrote for a PEFT model."
            )
    return [folders[i] for i in _spread(len(folders), limit)]


def beside(adapter: str | Path) -> Path | None:
    """Find the checkpoints that `datainf train` left with an adapter.

    Args:
        adapter: The adapter's folder, or a hub name.

    Returns:
        Their folder; None where there are none.
    """
    folder = Path(adapter) / CHECKPOINTS
    return folder if _below(folder) else None


@contextmanager
def loaded(model: peft.PeftModel, name: str, folder: Path) -> Iterator[None]:
    """Put a checkpoint's weights into a model, for the scope.

    Args:
        model: The PEFT model; its own weights come back at the end, to the bit.
        name: The adapter.
        folder: The checkpoint.

    Yields:
        Nothing.

    Raises:
        AdapterError: If the checkpoint is of another adapter.
    """
    _require_same_kind(model.peft_config[name], folder)
    _require_saved_whole(model.peft_config[name], folder)
    weights = weights_of(str(folder))
    places: dict[str, Tensor] = peft.get_peft_model_state_dict(
        model, adapter_name=name, save_embedding_layers=False
    )
    # Embeddings that training adapted or enlarged are saved whole, as the base's own.
    whole = {k: v for k, v in model.state_dict().items() if k in weights}
    missing = sorted(places.keys() - weights.keys())
    foreign = sorted(weights.keys() - places.keys() - whole.keys())
    for said, keys in (("lacks", missing), ("holds, and the model has not,", foreign)):
        if keys:
            raise AdapterError(f"{folder} {said} {keys[0]}; {_SAME}")
    places = {**whole, **places}
    for key, tensor in places.items():
        if tensor.shape != weights[key].shape:
            raise AdapterError(
                f"{folder} holds {key} of shape {list(weights[key].shape)}, the "
                f"model's is {list(tensor.shape)}; {_SAME}"
            )
    before = {key: tensor.detach().clone() for key, tensor in places.items()}
    try:
        peft.set_peft_model_state_dict(model, weights, adapter_name=name)
        yield
    finally:
        peft.set_peft_model_state_dict(model, before, adapter_name=name)


def _several(given: object) -> list[str | Path]:
    """Take a list of folders."""
    if not isinstance(given, list | tuple) or not all(
        isinstance(one, str | Path) for one in given
    ):
        raise OptionError(
            f"checkpoints must be a folder or a list of folders, got {given!r}."
        )
    return list(given)


def _require_saved_whole(mine: Any, folder: Path) -> None:
    """Refuse what is saved as the prompt that its trained parameters make."""
    if mine.peft_type == peft.PeftType.P_TUNING or getattr(
        mine, "prefix_projection", False
    ):
        raise AdapterError(
            f"{folder} keeps the prompts that the encoder of {mine.peft_type.value} "
            "made, and not its parameters, so that state of the training cannot come "
            "back; score the adapter itself, without checkpoints."
        )


def _below(place: Path) -> list[Path]:
    """List the folders `checkpoint-STEP` of a folder, or of its `checkpoints`."""
    for folder in (place, place / CHECKPOINTS):
        found = steps_below(folder)
        if found:
            return list(found.values())
    return []


def steps_below(folder: Path) -> dict[int, Path]:
    """List the folders `checkpoint-STEP` of a folder.

    Args:
        folder: It need not be there.

    Returns:
        Step -> folder, by steps.
    """
    found = {
        int(path.name.rpartition("-")[2]): path
        for path in folder.glob(f"{PREFIX_CHECKPOINT_DIR}-*")
        if _is_checkpoint(path)
    }
    return {step: found[step] for step in sorted(found)}


def _is_checkpoint(path: Path) -> bool:
    """Tell whether a folder has the name that the Trainer gives a checkpoint."""
    kind, _, step = path.name.rpartition("-")
    return path.is_dir() and kind == PREFIX_CHECKPOINT_DIR and step.isdigit()


def _spread(count: int, limit: int | None) -> list[int]:
    """Choose evenly spread places, the last among them."""
    if limit is None or limit >= count:
        return list(range(count))
    return [-(-(i + 1) * count // limit) - 1 for i in range(limit)]


def _require_same_kind(mine: Any, folder: Path) -> None:
    """Refuse an adapter that would scale or use its tensors in another way."""
    theirs: Any = config_of(str(folder))
    said = [(k, getattr(mine, k, None), getattr(theirs, k, None)) for k in _COMPARED]
    said.append(("init_lora_weights", _changes_base(mine), _changes_base(theirs)))
    for key, a, b in said:
        if a != b:
            raise AdapterError(
                f"{folder} is an adapter with {key}={b}, the model's has {a}; {_SAME}"
            )


def _changes_base(config: Any) -> str | None:
    """Name an initialisation that takes the adapter's beginning out of the base."""
    made = getattr(config, "init_lora_weights", None)
    return made if isinstance(made, str) and made.startswith(_TAKEN_OUT) else None
