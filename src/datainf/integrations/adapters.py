"""Load an adapter on its base: what `--adapter FOLDER` names.

The adapter says which base it belongs to, what kind of model that is and, by the shape
of its saved head, how many classes there are. Nothing of it may be left unused, and
nothing that it should have brought may be missing: weights that neither the base nor
the adapter has would be random at every loading.
"""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import peft
import torch
from peft.utils import CONFIG_NAME, SAFETENSORS_WEIGHTS_NAME, WEIGHTS_NAME
from torch import Tensor
from transformers import ImageProcessingMixin, PreTrainedTokenizerBase
from transformers.models.auto.tokenization_auto import get_tokenizer_config
from transformers.utils import IMAGE_PROCESSOR_NAME

from datainf.core.errors import AdapterError, OptionError, near, near_path
from datainf.core.layout import TUNER
from datainf.core.options import DeviceMap, Precision, word
from datainf.core.task_options import Processor
from datainf.integrations.base_models import (
    SAVED_HEADS,
    load_base,
    load_config,
    load_image_processor,
    load_tokenizer,
    reason_of,
)
from datainf.integrations.diffusion.loras import (
    is_lora_of_pipeline,
    load_lora,
    to_accelerator,
)
from datainf.integrations.diffusion.pipelines import is_pipeline_name, load_pipeline
from datainf.integrations.tasks.causal_lm import CausalLM
from datainf.integrations.tasks.table import TASKS, infer_task_name, reads_by
from datainf.integrations.tasks.text_to_image import TextToImage

# Options with which a task asks nothing of a tokenizer while it only chooses a model.
_NOTHING_ASKED: Mapping[str, Mapping[str, Any]] = {CausalLM.name: {"append_eos": False}}


def load_adapter(
    name: str,
    *,
    base: str | None = None,
    task_name: str | None = None,
    precision: Precision | str = Precision.FLOAT32,
    device_map: DeviceMap | str | None = None,
    trust_remote_code: bool = False,
) -> tuple[Any, Any]:
    """Load an adapter, its base and its tokenizer; on the accelerator if there is one.

    Args:
        name: Folder or hub name of the adapter; a LoRA as diffusers saves it, too.
        base: Folder or hub name of the base; the one the adapter names when None.
        task_name: A key of the task table, for adapters that do not say their task
            type; it never overrules one that does.
        precision: Number format of the base's weights, and of modules that the adapter
            saved whole (a head); adapter matrices in half precision become float32.
        device_map: How the base is split over the GPUs; whole on one when None.
        trust_remote_code: Whether to run Python code that comes with base or tokenizer.

    Returns:
        The model in eval mode, and the tokenizer, or image processor for images: the
        adapter's own, or else the base's; for text-to-image the pipeline.

    Raises:
        AdapterError: If there is no such adapter, or it does not fit its base.
        OptionError: If no base is known, or the task is unknown.
    """
    asked = word(Precision, precision, "precision")
    if is_lora_of_pipeline(name):
        return load_lora(name, base, asked, trust_remote_code=trust_remote_code)
    config = config_of(name)
    found = base or _base_of(config, name)
    weights = weights_of(name)
    kind = _task_name(config, task_name, found, trust_remote_code)
    if reads_by(kind) is Processor.PIPELINE:
        # Its number format is that of the model, which is a part of it.
        processor = load_pipeline(
            found, precision=asked, trust_remote_code=trust_remote_code
        )
    else:
        images = reads_by(kind) is Processor.IMAGES
        read = _image_processor_of if images else _tokenizer_of
        processor = read(name, found, trust_remote_code)
    own = {*SAVED_HEADS, *config_list(config, "modules_to_save")}
    brought = [module for module in own if _of_module(weights, [module])]
    task = TASKS[kind](processor, **_NOTHING_ASKED.get(kind, {}))
    classes = _classes(weights, brought) if task.heads else None
    model = load_base(
        found,
        task,
        classes,
        trained=brought,
        new_head=False,
        precision=asked,
        device_map=device_map,
        trust_remote_code=trust_remote_code,
    )
    adapted = _put_on(model, name, weights)
    if device_map is None:
        to_accelerator(adapted, processor)
    return adapted.eval(), processor


def config_list(config: peft.PeftConfig, key: str) -> list[str]:
    """Read a list out of a PEFT config that may lack it, or hold one string."""
    value = getattr(config, key, None) or []
    return [value] if isinstance(value, str) else list(value)


def config_of(name: str) -> peft.PeftConfig:
    """Read what an adapter says of itself.

    Args:
        name: Its folder or hub name.

    Returns:
        Its PEFT config.

    Raises:
        AdapterError: If there is none that can be read.
    """
    _require_there(name)
    try:
        return peft.PeftConfig.from_pretrained(name)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AdapterError(
            f"{name} holds no PEFT adapter that can be read: {reason_of(error)}. Give "
            "the folder or hub name that `save_pretrained` of the PEFT model wrote."
        ) from error


def _require_there(name: str) -> None:
    """Refuse a path with no adapter, which the hub would be asked for, for a minute.

    A hub name is `owner/name`, and no folder of the owner's name lies here.

    Raises:
        AdapterError: If it is such a path.
    """
    here = Path(name)
    if (here / CONFIG_NAME).is_file():
        return
    if here.is_dir():
        why = f"Can't find {CONFIG_NAME!r} at {name!r}."
    elif len(here.parts) != 2 or here.parent.is_dir():
        why = f"there is no such folder{near_path(here) or '.'}"
    else:
        return
    raise AdapterError(
        f"{name} holds no PEFT adapter that can be read: {why} Give the folder or hub "
        "name that `save_pretrained` of the PEFT model wrote."
    )


def _base_of(config: peft.PeftConfig, name: str) -> str:
    """Give the base that an adapter names.

    Returns:
        Its folder or hub name.

    Raises:
        AdapterError: If it is a path from another working directory.
        OptionError: If there is none.
    """
    found = config.base_model_name_or_path
    if not found:
        raise OptionError(
            f"the adapter {name} does not name its base model; give its folder or hub "
            "name with --model, or as `model:` in run.yaml."
        )
    beside = Path(name).parent / found
    if not Path(found).exists() and beside.is_dir():
        raise AdapterError(
            f"the adapter {name} names its base {found}, which is no folder here; if "
            f"{beside} is meant, give it with --model, or as `model:` in run.yaml."
        )
    return str(found)


def weights_of(name: str) -> dict[str, Tensor]:
    """Read an adapter's tensors; peft reads pickled ones with weights_only.

    Args:
        name: Its folder or hub name.

    Returns:
        Name -> tensor, as PEFT saves them.

    Raises:
        AdapterError: If they are not there, or cannot be read safely.
    """
    names, folder = (SAFETENSORS_WEIGHTS_NAME, WEIGHTS_NAME), Path(name)
    if folder.is_dir() and not any((folder / file).is_file() for file in names):
        raise AdapterError(
            f"{name} holds the configuration of an adapter, but no weights: expected "
            f"{' or '.join(names)}; save or copy the adapter again."
        )
    try:
        return peft.load_peft_weights(name, device="cpu")
    except UnpicklingError as error:
        raise AdapterError(
            f"the weights of the adapter {name} are a pickled file of more than "
            "tensors, which may run code and is not loaded; save the adapter again, "
            "with safetensors."
        ) from error
    except Exception as error:
        raise AdapterError(
            f"the weights of the adapter {name} cannot be read: {reason_of(error)}; "
            "save or copy the adapter again."
        ) from error


def _tokenizer_of(
    name: str, base: str, trust_remote_code: bool
) -> PreTrainedTokenizerBase:
    """Load the tokenizer that training saved with the adapter, or else the base's."""
    try:
        own = bool(get_tokenizer_config(name))
    except ValueError:  # it is there, but damaged: loading it says so
        own = True
    return load_tokenizer(name if own else base, trust_remote_code=trust_remote_code)


def _image_processor_of(name: str, base: str, trust_remote_code: bool) -> Any:
    """Load the image processor that training saved with the adapter, or the base's."""
    own = (Path(name) / IMAGE_PROCESSOR_NAME).is_file()
    if not own and not Path(name).is_dir():
        try:
            ImageProcessingMixin.get_image_processor_dict(name)
            own = True
        except OSError:  # a hub name whose files do not have it
            own = False
    return load_image_processor(
        name if own else base, trust_remote_code=trust_remote_code
    )


def _task_name(
    config: peft.PeftConfig, asked: str | None, base: str, trust_remote_code: bool
) -> str:
    """Tell which kind of model the adapter belongs on."""
    if config.task_type is not None:
        made_for = str(getattr(config.task_type, "value", config.task_type))
        known = {task.task_type: name for name, task in TASKS.items() if task.task_type}
        if made_for not in known:
            raise AdapterError(
                f"the adapter was trained for {made_for}; this version loads those for "
                f"{', '.join(map(str, known))}. Load it yourself and give its model to "
                "`datainf.attribute`, with a loss of your own."
            )
        return known[made_for]
    if asked is not None:
        if asked not in TASKS:
            raise OptionError(f"task.name={asked!r} is unknown: {near(asked, TASKS)}.")
        return asked
    if is_pipeline_name(base):
        return TextToImage.name
    found = load_config(base, trust_remote_code=trust_remote_code)
    return infer_task_name(next(iter(found.architectures or []), "a base of no kind"))


def _of_module(
    weights: Mapping[str, Tensor], modules: Iterable[str]
) -> dict[str, Tensor]:
    """Choose the tensors of modules that were saved whole: no adapter matrices."""
    names = set(modules)
    return {
        key: tensor
        for key, tensor in weights.items()
        for parts in [key.split(".")]
        if names & set(parts) and not any(TUNER.match(part) for part in parts)
    }


def _classes(weights: Mapping[str, Tensor], brought: Iterable[str]) -> int | None:
    """Count the classes by the saved head's last matrix; None where none is saved."""
    saved = _of_module(weights, SAVED_HEADS) or _of_module(weights, brought)
    matrices = [len(tensor) for tensor in saved.values() if tensor.ndim == 2]
    return matrices[-1] if matrices else None


def _put_on(model: Any, name: str, weights: Mapping[str, Tensor]) -> peft.PeftModel:
    """Put the adapter on its base; refuse one that does not fit to the last tensor."""
    base = model.config._name_or_path
    try:
        # What is missing is told below, and the matrices' first values do not matter.
        with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
            warnings.filterwarnings("ignore", "Found missing adapter keys")
            adapted = peft.PeftModel.from_pretrained(model, name)
    except KeyError as error:  # a module to be saved, whose tensors are not there
        raise AdapterError(_unfit(name, "lacks", error.args, base)) from error
    except (RuntimeError, ValueError) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise AdapterError(
            f"the adapter {name} does not fit the base {base}: {' '.join(lines[:2])}"
        ) from error
    expected = peft.get_peft_model_state_dict(adapted, save_embedding_layers=False)
    # Embeddings that training adapted or enlarged are saved whole, as the base's own.
    places = expected.keys() | adapted.state_dict().keys()
    for said, names in (
        ("lacks", expected.keys() - weights.keys()),
        ("holds, and its base has no place for,", weights.keys() - places),
    ):
        if names:
            raise AdapterError(_unfit(name, said, sorted(names), base))
    return adapted


def _unfit(name: str, said: str, tensors: Sequence[str], base: str) -> str:
    more = f" and {len(tensors) - 1} more" if tensors[1:] else ""
    return (
        f"the adapter {name} {said} {tensors[0]}{more}; is {base} the base that it was "
        "trained on?"
    )
