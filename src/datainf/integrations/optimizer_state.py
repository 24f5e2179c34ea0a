"""What a `transformers.Trainer` leaves in a checkpoint: Adam's moments, learning rates.

The optimizer numbers its parameters: first those that the Trainer lets decay, then the
others, each in the model's order. Which ones decay is asked of the Trainer itself, and
every shape is compared, so that another order does not go unseen where shapes differ.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
import transformers
from torch import Tensor, nn

from datainf.core.adapter import Adapter
from datainf.core.checkpoint import Moments
from datainf.core.errors import StoreError

OPTIMIZER = "optimizer.pt"
STATE = "trainer_state.json"


def read_moments(folder: str | Path, model: nn.Module, adapter: Adapter) -> Moments:
    """Read what Adam or AdamW remembered at a checkpoint, block by block.

    Args:
        folder: The checkpoint's folder, with its `optimizer.pt`.
        model: The model with the adapter that was trained.
        adapter: What that adapter trains.

    Returns:
        The moments of every block of the adapter.

    Raises:
        StoreError: If the file cannot be read, is another optimizer's, or is of other
            parameters.
    """
    path = Path(folder) / OPTIMIZER
    state = _load(path)
    groups, held = state["param_groups"], state["state"]
    names = _names_in_order(model, adapter)
    count = sum(len(group["params"]) for group in groups)
    if count != sum(map(len, names)) or len(groups) != len(names):
        raise StoreError(
            f"{path} is of {count} parameters in {len(groups)} groups, and this "
            f"adapter trains {sum(map(len, names))} in {len(names)}: those that decay "
            "and those that do not; give the checkpoints of this adapter's training by "
            "the Trainer."
        )
    first, second, steps = {}, {}, {}
    blocks = [one.block for one in (*adapter.parameters, *adapter.saved)]
    shapes = {block.name: block.shape for block in blocks}
    for group, mine in zip(groups, names, strict=True):
        if len(group["params"]) != len(mine):
            raise StoreError(
                f"{path} has a group of {len(group['params'])} parameters where this "
                f"adapter trains {len(mine)}; give the checkpoints of this adapter's "
                "training by the Trainer."
            )
        for number, name in zip(group["params"], mine, strict=True):
            kept = _require_adam(path, number, held.get(number))
            found = tuple(kept["exp_avg"].shape)
            if found != tuple(shapes[name]):
                raise StoreError(
                    f"{path}: parameter {number} has shape {list(found)}, and block "
                    f"{name}, which stands there, {list(shapes[name])}; give the "
                    "checkpoints of this adapter's training by the Trainer."
                )
            first[name] = kept["exp_avg"].flatten()
            second[name] = kept["exp_avg_sq"].flatten()
            steps[name] = int(kept["step"])
    return Moments(first, second, steps, *_settings(path, groups))


def learning_rates(folders: Sequence[str | Path]) -> list[float]:
    """Give the mean learning rate between each checkpoint and the one before.

    Args:
        folders: Checkpoints of one training, each with its `trainer_state.json`.

    Returns:
        The mean of the rates that were logged after the checkpoint before (of those
        given) and up to each one, in the order of `folders`. A Trainer of transformers
        4 may log the rate of the step that follows.

    Raises:
        StoreError: If a file cannot be read, or no rate was logged in between.
    """
    states = [_read_state(Path(folder) / STATE) for folder in folders]
    reached = [int(state["global_step"]) for state in states]
    found = []
    for folder, state, step in zip(folders, states, reached, strict=True):
        before = max((other for other in reached if other < step), default=0)
        rates = [
            float(entry["learning_rate"])
            for entry in state.get("log_history", [])
            if "learning_rate" in entry and before < entry["step"] <= step
        ]
        if not rates:
            raise StoreError(
                f"{Path(folder) / STATE} has no learning rate of steps {before + 1} to "
                f"{step}; train with logging_steps of at most {step - before}, or give "
                "the weights in Checkpoint(..., weight=...)."
            )
        found.append(sum(rates) / len(rates))
    return found


def _names_in_order(model: nn.Module, adapter: Adapter) -> tuple[list[str], list[str]]:
    """Name the trained blocks as the Trainer's two groups hold them."""
    blocks = {
        id(trained.parameter): trained.block.name
        for trained in (*adapter.parameters, *adapter.saved)
    }
    # A method that asks nothing of its Trainer, which is slow to import: only here.
    decays = set(transformers.Trainer.get_decay_parameter_names(None, model))
    groups: tuple[list[str], list[str]] = ([], [])
    for path, parameter in model.named_parameters():
        name = blocks.get(id(parameter))
        if name is not None:
            groups[path not in decays].append(name)
    return groups


def _load(path: Path) -> Mapping[str, Any]:
    """Read an optimizer's state without running what a pickle may hold."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise StoreError(
            f"{path.parent} has no {path.name}; train with save_only_model=False."
        ) from error
    except (UnpicklingError, RuntimeError, EOFError, OSError) as error:
        raise StoreError(
            f"{path} cannot be read as an optimizer's tensors; copy the checkpoint "
            "again."
        ) from error
    if not isinstance(state, dict) or not {"state", "param_groups"} <= state.keys():
        raise StoreError(
            f"{path} is no optimizer's state: expected state and param_groups; give a "
            "checkpoint of the Trainer."
        )
    return state


def _require_adam(
    path: Path, number: int, kept: Mapping[str, Tensor] | None
) -> Mapping[str, Tensor]:
    """Refuse the state of an optimizer that is not Adam or AdamW."""
    keys = sorted(map(str, kept or {}))
    if kept is None or keys != ["exp_avg", "exp_avg_sq", "step"]:
        raise StoreError(
            f"{path}: parameter {number} holds {', '.join(keys) or 'nothing'}, where "
            "Adam and AdamW keep exp_avg, exp_avg_sq and step; less needs a training "
            "with one of these (optim: adamw_torch)."
        )
    return kept


def _settings(
    path: Path, groups: Sequence[Mapping[str, Any]]
) -> tuple[tuple[float, float], float]:
    """Give β₁, β₂ and ε, which must be those of all groups, of Adam or AdamW."""
    # RAdam keeps tensors of the same names and takes other steps with them.
    if any(group.get("amsgrad") is not False for group in groups):
        raise StoreError(
            f"{path} is of another optimizer than Adam and AdamW, or of their amsgrad "
            "variant; less needs a training with one of these (optim: adamw_torch)."
        )
    found = {(*group.get("betas", ()), group.get("eps")) for group in groups}
    if len(found) != 1 or len(next(iter(found))) != 3:
        raise StoreError(
            f"{path}: its groups have other betas and eps, or none; less needs one "
            "Adam for all parameters."
        )
    beta1, beta2, eps = next(iter(found))
    return (float(beta1), float(beta2)), float(eps)


def _read_state(path: Path) -> Mapping[str, Any]:
    """Read the Trainer's own record."""
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StoreError(
            f"{path} cannot be read; give a checkpoint that the Trainer saved."
        ) from error
    if not isinstance(state, dict) or "global_step" not in state:
        raise StoreError(
            f"{path} has no global_step; give a checkpoint that the Trainer saved."
        )
    return state
