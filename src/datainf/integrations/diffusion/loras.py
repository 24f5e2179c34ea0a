"""LoRAs as diffusers saves them: `pytorch_lora_weights.safetensors`, kohya's files too.

The pipeline itself loads them, in whatever layout they are; every tensor of the file
must have found a place.
"""

from pathlib import Path
from typing import Any

import torch
from peft import get_peft_model_state_dict

from datainf.core.errors import AdapterError, OptionError
from datainf.core.options import Precision
from datainf.integrations.diffusion.denoising import Denoising
from datainf.integrations.diffusion.injected import adapted_parts
from datainf.integrations.diffusion.pipelines import LORA_WEIGHTS, load_pipeline, quiet

_ENDING = ".safetensors"
_NAME = "default"


def is_lora_of_pipeline(name: str) -> bool:
    """Tell a LoRA of diffusers from an adapter that PEFT saved.

    Args:
        name: Folder, file or hub name.

    Returns:
        Whether it is a safetensors file, or a folder with diffusers' own.
    """
    path = Path(name)
    if path.is_file():
        return path.suffix == _ENDING
    peft = (path / "adapter_config.json").is_file()
    return (path / LORA_WEIGHTS).is_file() and not peft


def load_lora(
    name: str,
    base: str | None,
    precision: Precision = Precision.FLOAT32,
    *,
    trust_remote_code: bool = False,
) -> tuple[Denoising, Any]:
    """Load a LoRA of diffusers on its pipeline.

    Args:
        name: Folder or file.
        base: Folder or hub name of the pipeline.
        precision: Number format of all weights.
        trust_remote_code: Whether to run Python code that comes with the pipeline.

    Returns:
        The model in eval mode, on the accelerator if there is one, and the pipeline.

    Raises:
        OptionError: If no pipeline is named, since such files do not name theirs.
        AdapterError: If the LoRA does not fit the pipeline to the last tensor.
    """
    if not base:
        raise OptionError(
            f"{name} is a LoRA of diffusers, which does not name its pipeline; give "
            "its folder or hub name with --model, or as `model:` in run.yaml."
        )
    pipeline = load_pipeline(
        base, precision=precision, trust_remote_code=trust_remote_code
    )
    path = Path(name)
    where = {"weight_name": path.name} if path.is_file() else {}
    folder = str(path.parent if path.is_file() else path)
    try:
        with quiet():
            state = pipeline.lora_state_dict(folder, **where)
            pipeline.load_lora_weights(folder, adapter_name=_NAME, **where)
    # Of a file for another kind of model, each conversion raises what it likes.
    except Exception as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise AdapterError(
            f"the LoRA {name} does not fit the pipeline {base}: "
            f"{' '.join(lines[:2]) or type(error).__name__}"
        ) from error
    tensors = state[0] if isinstance(state, tuple) else state
    wanted = sum(not key.endswith("alpha") for key in tensors)
    model = Denoising(pipeline)
    placed = sum(
        len(get_peft_model_state_dict(part, adapter_name=_NAME))
        for part in adapted_parts(model).values()
        if _NAME in part.peft_config
    )
    if placed != wanted:
        raise AdapterError(
            f"the LoRA {name} holds {wanted} tensors, and {placed} have a place in the "
            f"pipeline {base}; is it the pipeline that it was trained on?"
        )
    to_accelerator(model, pipeline)
    return model.eval(), pipeline


def to_accelerator(model: torch.nn.Module, processor: Any) -> None:
    """Put a model on the accelerator if there is one, with the rest of its pipeline.

    Args:
        model: The model.
        processor: Its tokenizer, image processor or pipeline.
    """
    # The accelerator that torch was built for need not be in this machine.
    if torch.accelerator.is_available():
        device = torch.accelerator.current_accelerator()
        model.to(device)
        vae = getattr(processor, "vae", None)
        if vae is not None:
            vae.to(device)
