"""Fingerprints: hashes by which a store knows the model, adapter and data it came from.

The base by its config, tensor names, shapes, dtypes and a seeded sample of each tensor
(a base of many gigabytes is read only at those places); the adapter whole; the data by
one hash a row.
"""

import hashlib
import json
import sys
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from datainf.core.adapter import Adapter
from datainf.core.canonical import canonical_json, sha256_of
from datainf.core.errors import DataError
from datainf.core.identity import Identity
from datainf.core.layout import TUNER
from datainf.core.task import Example, Task
from datainf.integrations.diffusion.injected import configs_of
from datainf.integrations.peft import owner_of

SAMPLE = 256
_ORIENTATION = 0x0112
# Config entries that name places, versions or ways to run rather than the model.
_NOT_THE_MODEL = {
    "_name_or_path",
    "transformers_version",
    "_attn_implementation_autoset",
    "use_cache",
    "problem_type",  # written by the first forward pass with labels
}
# Entries of a PEFT config on which gradients depend and that no tensor and no
# `scaling` of a layer shows: FourierFT, OFT, VB-LoRA, WaveFT, HRA, tokens, aLoRA.
CHOICES = (
    "scaling",
    "random_loc_seed",
    "coft",
    "eps",
    "topk",
    "wavelet_family",
    "use_idwt",
    "apply_GS",
    "trainable_token_indices",
    "alora_invocation_tokens",
)
_KEPT_BESIDE = {
    "modules_to_save",
    "original_module",
    "prompt_encoder",
    "prompt_tokens",
    "ranknum",
}


def identify(
    model: nn.Module,
    adapter: Adapter,
    task: Task,
    row_hashes: Sequence[str],
    about: Mapping[str, Any],
) -> Identity:
    """Describe what gradients will be made from.

    Args:
        model: The PEFT model.
        adapter: The adapter that is collected.
        task: The task with its settings.
        row_hashes: `hash_row` of each example, in order.
        about: Names for people, never compared.

    Returns:
        The identity that a store carries.
    """
    return Identity(
        base=hash_base(model, adapter),
        adapter=hash_adapter(model, adapter),
        task=json.loads(canonical_json(task.settings())),
        data=sha256_of(list(row_hashes)),
        about=dict(about),
    )


def hash_row(example: Example) -> str:
    """Hash one example: every column, whatever their order.

    Args:
        example: Column -> value: text, numbers, lists of them, tensors, bytes, images.

    Returns:
        64 hexadecimal digits.

    Raises:
        DataError: If a value is of a kind that cannot be written down.
    """
    try:
        text = json.dumps(dict(example), sort_keys=True, default=_plain)
    except TypeError as error:
        raise DataError(f"an example cannot be fingerprinted: {error}.") from error
    return hashlib.sha256(text.encode()).hexdigest()


def hash_example(example: Example, task: Task) -> str:
    """Hash one example as its task reads it: a file that it names by the file's bytes.

    Args:
        example: The row.
        task: The task; its method `resolved`, where it has one, reads such files.

    Returns:
        64 hexadecimal digits.
    """
    resolved = getattr(task, "resolved", None)
    return hash_row(example if resolved is None else resolved(example))


def hash_base(model: nn.Module, adapter: Adapter) -> str:
    """Hash the base model, the adapter's own tensors left out.

    Args:
        model: The PEFT model.
        adapter: Its adapter.

    Returns:
        64 hexadecimal digits; the same for every adapter on this base.
    """
    trained = {t.path for t in (*adapter.parameters, *adapter.saved)}
    digest = hashlib.sha256(canonical_json(_config(model)).encode())
    for name, tensor in _base_tensors(model, trained):
        head = f"{name} {list(tensor.shape)} {tensor.dtype}"
        digest.update(head.encode())
        digest.update(_sample(name, tensor))
    return digest.hexdigest()


def hash_module(module: nn.Module, config: Mapping[str, Any]) -> str:
    """Hash a module that is no adapted model: a diffusion pipeline's VAE.

    Args:
        module: The module.
        config: What it says of itself.

    Returns:
        64 hexadecimal digits.
    """
    text = json.dumps(dict(config), default=str, sort_keys=True)
    digest = hashlib.sha256(text.encode())
    for name, tensor in module.state_dict().items():
        digest.update(f"{name} {list(tensor.shape)} {tensor.dtype}".encode())
        digest.update(_sample(name, tensor))
    return digest.hexdigest()


def hash_adapter(model: nn.Module, adapter: Adapter) -> str:
    """Hash every trained tensor, whole, with what scales it or chooses its use.

    Args:
        model: The PEFT model.
        adapter: Its adapter.

    Returns:
        64 hexadecimal digits, the same under whatever name the adapter was loaded.
    """
    digest = hashlib.sha256()
    for trained in (*adapter.parameters, *adapter.saved):
        tensor = trained.parameter
        head = f"{trained.block.name} {list(tensor.shape)} {tensor.dtype}"
        digest.update(head.encode())
        digest.update(_bytes(tensor))
    for path, buffer in model.named_buffers():
        # Never trained, but gradients depend on it: VeRA's shared projections.
        if owner_of(path) == adapter.name:
            digest.update(f"{list(buffer.shape)} {buffer.dtype}".encode())
            digest.update(_bytes(buffer))
    for path, module in model.named_modules():
        scaling = getattr(module, "scaling", None)
        if isinstance(scaling, Mapping) and adapter.name in scaling:
            digest.update(f"{path} {float(scaling[adapter.name])!r}".encode())
    digest.update(_choices(model, adapter.name).encode())
    return digest.hexdigest()


def _choices(model: nn.Module, name: str) -> str:
    """Write what an adapter's config alone says of its forward pass; "" for most."""
    config = configs_of(model).get(name)
    found = {key: getattr(config, key, None) for key in CHOICES}
    kept = {key: value for key, value in found.items() if value}
    return canonical_json(kept) if kept else ""


def _config(model: nn.Module) -> dict[str, Any]:
    config: Any = getattr(model, "config", None)
    values = config.to_dict() if hasattr(config, "to_dict") else {}
    kept = {key: value for key, value in values.items() if key not in _NOT_THE_MODEL}
    plain: dict[str, Any] = json.loads(json.dumps(kept, default=str))
    return plain


def _base_tensors(model: nn.Module, trained: set[str]) -> Iterator[tuple[str, Tensor]]:
    tensors = [*model.named_parameters(), *model.named_buffers()]
    for path, tensor in [*tensors, *_scales(model)]:
        parts = path.split(".")
        of_an_adapter = any(TUNER.match(p) or p in _KEPT_BESIDE for p in parts)
        if path not in trained and not of_an_adapter:
            yield (
                path.replace(".base_layer", "").removeprefix("base_model.model."),
                tensor,
            )


def _scales(model: nn.Module) -> list[tuple[str, Tensor]]:
    """Find what is saved beside a weight's bits, in no parameter or buffer."""
    held = {
        path
        for named in (model.named_parameters, model.named_buffers)
        for path, _ in named(remove_duplicate=False)
    }
    saved = model.state_dict().items()
    return [(p, t) for p, t in saved if p not in held and isinstance(t, Tensor)]


def _sample(name: str, tensor: Tensor) -> bytes:
    """Read a few entries at places drawn from the tensor's name."""
    if tensor.is_meta or not tensor.numel():
        return b""
    places = np.random.default_rng(zlib.crc32(name.encode()))
    chosen = torch.from_numpy(places.integers(tensor.numel(), size=SAMPLE))
    return _bytes(tensor.detach().flatten()[chosen.to(tensor.device)])


def _bytes(tensor: Tensor) -> bytes:
    flat = tensor.detach().cpu().contiguous().flatten()
    return flat.view(torch.uint8).numpy().tobytes()


def is_image(value: object) -> bool:
    """Say whether a value is a PIL image, without importing Pillow for it."""
    pil = sys.modules.get("PIL.Image")
    return pil is not None and isinstance(value, pil.Image)


def _plain(value: object) -> Any:
    if isinstance(value, Tensor):
        return value.tolist()
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    if isinstance(value, (bytes, bytearray)):
        return {"bytes": hashlib.sha256(value).hexdigest()}
    if is_image(value):
        held: Any = value
        pixels = hashlib.sha256(held.tobytes())
        # Without their palette, pixels of mode P are numbers of no colours.
        pixels.update(bytes(held.getpalette() or ()))
        # How it is to be turned upright (EXIF), where it says so.
        upright = [turn] if (turn := held.getexif().get(_ORIENTATION)) else []
        return {"image": [held.mode, *held.size, pixels.hexdigest(), *upright]}
    raise TypeError(f"a value of type {type(value).__name__} has no fixed form")
