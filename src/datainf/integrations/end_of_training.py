"""A Trainer's callback that works when training ends, and keeps what it needs for that.

Its subclass says what is done. Of the Trainer it uses what is public: `model`,
`optimizer`, `callback_handler`, `log`. Training itself is the same to the bit as
without it.
"""

from pathlib import Path
from typing import Any

from transformers import Trainer, TrainerCallback
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from datainf.core.errors import OptionError
from datainf.integrations.kept_checkpoints import KeptCheckpoints
from datainf.integrations.optimizer_state import read_moments
from datainf.integrations.peft import adapter_of


class EndOfTraining(TrainerCallback):
    """Calls `finish` when training has ended, on the first process alone."""

    def __init__(
        self, trainer: Trainer, kept: KeptCheckpoints | None, *, moments: bool = False
    ) -> None:
        """Watch a trainer.

        Args:
            trainer: It is added to by the user: `trainer.add_callback(this)`.
            kept: Where copies of the checkpoints go; None to keep none.
            moments: Whether they need the moments of Adam.

        Raises:
            OptionError: If the weights of the model are spread over processes.
        """
        if trainer.is_deepspeed_enabled or trainer.is_fsdp_enabled:
            raise OptionError(
                "DeepSpeed and FSDP spread a model's weights over processes, and "
                "gradients of single examples need them whole; train as you like, then "
                "score the saved adapter with `datainf attribute`."
            )
        self.trainer = trainer
        self._kept, self._moments = kept, moments

    def finish(self) -> dict[str, float]:
        """Do the work.

        Returns:
            Numbers for the trackers that the Trainer reports to.

        Raises:
            NotImplementedError: Unless a subclass says what to do.
        """
        raise NotImplementedError

    def on_train_begin(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """Take up the copies, and come before the trackers, which close at the end."""
        del args, control, rest
        handler = self.trainer.callback_handler
        # A new list: the handler is just going through the old one.
        handler.callbacks = [self, *(c for c in handler.callbacks if c is not self)]
        if self._kept is not None and state.is_world_process_zero:
            self._kept.begin(state.global_step)

    def on_step_begin(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """Note the rate of the step that comes."""
        del args, control, rest
        if self._kept is not None:
            rate = float(self.trainer.optimizer.param_groups[0]["lr"])
            self._kept.note(state.global_step + 1, rate)

    def on_epoch_end(self, args: Any, state: Any, control: Any, **rest: Any) -> Any:
        """Let the Trainer save, where checkpoints are wanted and it saves none."""
        del state, rest
        strategy = getattr(args.save_strategy, "value", args.save_strategy)
        if self._kept is not None and str(strategy) == "no":
            control.should_save = True
        return control

    def on_save(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """Copy what was saved; what is wrong with it shows with the first."""
        del control
        if self._kept is None or not state.is_world_process_zero:
            return
        name = f"{PREFIX_CHECKPOINT_DIR}-{state.global_step}"
        copy = self._kept.keep(Path(args.output_dir) / name, state.global_step)
        if self._moments:
            read_moments(copy, rest["model"], adapter_of(rest["model"]))

    def on_train_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """Work, and log."""
        del args, control, rest
        if state.is_world_process_zero:
            numbers = self.finish()
            if numbers:
                self.trainer.log(numbers)
