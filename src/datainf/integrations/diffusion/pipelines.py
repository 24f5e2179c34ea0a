"""Pipelines of diffusers: loaded, checked, and known again.

diffusers is an extra (`pip install datainf[diffusion]`) and is imported here alone.
"""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from torch import nn

from datainf.core.canonical import sha256_of
from datainf.core.errors import AdapterError, OptionError
from datainf.core.extras import needed
from datainf.core.options import Precision
from datainf.integrations.diffusion.denoising import (
    Denoising,
    adapted,
    choices_of,
)
from datainf.integrations.diffusion.schedules import schedule_of
from datainf.integrations.fingerprint import hash_module
from datainf.integrations.precision import pipeline_dtype
from datainf.integrations.tasks.tokens import tokenizer_fingerprint

INDEX = "model_index.json"
LORA_WEIGHTS = "pytorch_lora_weights.safetensors"
"""What diffusers' training scripts and `save_lora_weights` write."""


@runtime_checkable
class Pipeline(Protocol):
    """What `from_pretrained` of a pipeline of diffusers gives."""

    @property
    def components(self) -> Mapping[str, Any]:
        """Its models, tokenizers and scheduler, by name."""
        ...


def diffusers() -> Any:
    """Import diffusers, or name its extra.

    Returns:
        The library.
    """
    with needed("text-to-image", "diffusers", "diffusion"):
        import diffusers as library
    return library


@contextmanager
def quiet() -> Iterator[None]:
    """Keep diffusers' news of renamed arguments, bars and unused parts out of sight.

    Yields:
        Nothing.
    """
    logging = diffusers().utils.logging
    before = logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            warnings.simplefilter("ignore", UserWarning)
            yield
    finally:
        logging.set_verbosity(before)
        logging.enable_progress_bar()


def is_pipeline(value: object) -> bool:
    """Tell a pipeline of diffusers, without importing it for the question."""
    return any(
        kind.__name__ == "DiffusionPipeline" and kind.__module__.startswith("diffusers")
        for kind in type(value).__mro__
    )


def as_module(model: nn.Module | Pipeline) -> Any:
    """Let a pipeline stand for its model.

    Args:
        model: A module, or a pipeline of diffusers.

    Returns:
        The module; of a pipeline its `Denoising`.
    """
    return Denoising(model) if is_pipeline(model) else model


def require_pipeline(value: object) -> None:
    """Refuse what is no pipeline.

    Args:
        value: What was given for one.

    Raises:
        OptionError: If it is something else.
    """
    if not is_pipeline(value):
        raise OptionError(
            "text-to-image needs a pipeline of diffusers, got a "
            f"{type(value).__name__}; DiffusionPipeline.from_pretrained loads one."
        )
    if getattr(value, "vae", None) is None:
        raise OptionError(
            f"the {type(value).__name__} has no VAE, and images must be encoded; load "
            "it whole."
        )


def load_pipeline(
    name: str,
    *,
    precision: Precision = Precision.FLOAT32,
    trust_remote_code: bool = False,
) -> Any:
    """Load a pipeline from a folder or from the hub.

    Args:
        name: The folder or hub name.
        precision: Number format of its weights.
        trust_remote_code: Whether to run Python code that comes with it.

    Returns:
        The pipeline, without a progress bar of its own.

    Raises:
        AdapterError: If there is none.
    """
    library = diffusers()
    # Renamed on the way to 1.0; until then both are read, the old one with a warning.
    dtype = "dtype" if int(library.__version__.split(".")[0]) else "torch_dtype"
    options = {dtype: pipeline_dtype(precision)}
    try:
        with quiet():
            pipeline = library.DiffusionPipeline.from_pretrained(
                name,
                trust_remote_code=trust_remote_code,
                safety_checker=None,
                requires_safety_checker=False,
                **options,
            )
    # A damaged file makes each part raise what it likes.
    except Exception as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = lines[0].rstrip(".:") if lines else type(error).__name__
        raise AdapterError(
            f"the pipeline {name} cannot be loaded: {reason}. Give a folder that holds "
            f"its {INDEX}, or a hub name while the hub can be reached."
        ) from error
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def pristine(
    pipeline: Any, name: str, precision: Precision, *, trust_remote_code: bool
) -> Denoising:
    """Give the model of a pipeline without any adapter in it.

    Args:
        pipeline: Taken as it is, unless an earlier training left its layers there.
        name: Loaded anew from here then.
        precision: Number format of its weights then.
        trust_remote_code: Whether to run Python code that comes with it.

    Returns:
        The model, in eval mode.
    """
    found = Denoising(pipeline)
    if adapted(found):
        fresh = load_pipeline(
            name, precision=precision, trust_remote_code=trust_remote_code
        )
        found = Denoising(fresh)
    return found.eval()


def is_pipeline_name(name: str) -> bool:
    """Tell whether a folder holds a pipeline, or a hub name is one's.

    Args:
        name: The folder or hub name.

    Returns:
        Whether it is; for the hub also no where it cannot be reached.
    """
    if Path(name).exists():
        return (Path(name) / INDEX).is_file()
    try:
        with quiet():
            diffusers().DiffusionPipeline.load_config(name)
    except (OSError, ValueError, OptionError):
        return False
    return True


def pipeline_fingerprint(pipeline: Any) -> Mapping[str, Any]:
    """Describe what a pipeline does to images and prompts, by its choices and weights.

    Args:
        pipeline: Of diffusers.

    Returns:
        JSON values: VAE, schedule and tokenizers. Denoiser and text encoders are the
        model's, and known by its fingerprint.
    """
    tables = {
        key: value.tolist() if isinstance(value, torch.Tensor) else value
        for key, value in vars(schedule_of(pipeline.scheduler)).items()
    }
    tokenizers = {
        name: dict(tokenizer_fingerprint(part))
        for name, part in sorted(pipeline.components.items())
        if name.startswith("tokenizer") and part is not None
    }
    return {
        "kind": type(pipeline).__name__,
        "vae": hash_module(pipeline.vae, choices_of(pipeline.vae)),
        "schedule": sha256_of(tables),
        "tokenizers": tokenizers,
    }
