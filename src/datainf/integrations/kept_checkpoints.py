"""Copies of a Trainer's checkpoints that outlive its own, for methods along training.

    FOLDER/checkpoint-500/   adapter_config.json, adapter_model.*, trainer_state.json
                             and, where moments are wanted, optimizer.pt

A Trainer deletes its older checkpoints (`save_total_limit`) and logs learning rates as
seldom as it likes; here each copy stays, with the rate of every step up to it, also
over an interruption. `checkpoints.py` and `optimizer_state.py` read the copies.
"""

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from datainf.core.canonical import canonical_json
from datainf.core.durable import PARTIAL, write_durably
from datainf.core.errors import OptionError, StoreError
from datainf.integrations.checkpoints import steps_below
from datainf.integrations.optimizer_state import OPTIMIZER, STATE

_ADAPTER = ("adapter_config.json", "adapter_model.safetensors", "adapter_model.bin")


class KeptCheckpoints:
    """The copies of one training.

    Attributes:
        folder: Where they lie.
    """

    def __init__(self, folder: Path, *, moments: bool) -> None:
        """Name a place for copies; nothing is written yet.

        Args:
            folder: Their folder.
            moments: Whether the optimizer's state is kept too.
        """
        self.folder = folder
        self._moments = moments
        self._rates: dict[int, float] = {}

    def begin(self, step: int) -> None:
        """Take up a training: a new one, or one that goes on after a step.

        Args:
            step: How many steps are behind it.

        Raises:
            OptionError: If copies of another training are there, or those of this one
                are not.
        """
        there = steps_below(self.folder)
        if not step:
            if there:
                raise OptionError(
                    f"{self.folder} holds checkpoints of an earlier training; resume "
                    "that one, or give the callback another out."
                )
            self._rates = {}
            return
        if step not in there:
            raise OptionError(
                f"the training goes on after step {step}, and {self.folder} has no "
                f"checkpoint of that step, so what came before is not known; resume "
                "with the callback and out of the beginning, or start over."
            )
        state = json.loads((there[step] / STATE).read_text(encoding="utf-8"))
        self._rates = {
            int(entry["step"]): float(entry["learning_rate"])
            for entry in state["log_history"]
        }
        for later, path in there.items():
            if later > step:  # these steps are trained again
                shutil.rmtree(path)

    def note(self, step: int, rate: float) -> None:
        """Remember the learning rate of a step.

        Args:
            step: Its number, from 1.
            rate: The rate that it is taken with.
        """
        self._rates[step] = rate

    def keep(self, source: Path, step: int) -> Path:
        """Copy a checkpoint; it is there whole or not at all.

        Args:
            source: The Trainer's folder.
            step: How many steps led to it.

        Returns:
            The copy.

        Raises:
            StoreError: If it lacks the adapter, or the optimizer where that is wanted.
        """
        names = [name for name in _ADAPTER if (source / name).is_file()]
        if len(names) < 2:
            raise StoreError(
                f"{source} holds no adapter ({_ADAPTER[0]} and its weights); the "
                "Trainer must save the model of peft itself, with one adapter named "
                "'default'."
            )
        if self._moments:
            if not (source / OPTIMIZER).is_file():
                raise StoreError(
                    f"{source} has no {OPTIMIZER}, which less needs; train with "
                    "save_only_model=False."
                )
            names.append(OPTIMIZER)
        place = self.folder / f"{PREFIX_CHECKPOINT_DIR}-{step}"
        partial = place.with_name(place.name + PARTIAL)
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for name in names:
            shutil.copyfile(source / name, partial / name)
        state = {"global_step": step, "log_history": self._history(step)}
        write_durably(partial / STATE, [canonical_json(state).encode()])
        shutil.rmtree(place, ignore_errors=True)
        os.replace(partial, place)
        return place

    def _history(self, step: int) -> Sequence[dict[str, float]]:
        """Write the rates as the Trainer logs them."""
        return [
            {"step": one, "learning_rate": self._rates[one]}
            for one in sorted(self._rates)
            if one <= step
        ]
