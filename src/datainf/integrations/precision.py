"""Number formats of a base's weights: floats, and 8 or 4 bits by bitsandbytes.

    int8   LLM.int8() (Dettmers et al., arXiv:2208.07339): a byte a weight, a scale for
           each row
    int4   NF4 (QLoRA, arXiv:2305.14314): four bits a weight, a scale for 64 weights

Linear layers alone are quantised; embeddings, norms, the head and the adapter stay in
float32. A base that was saved quantised is loaded as it is, where transformers can, and
`precision` says the format of its other weights.
"""

from collections.abc import Collection, Mapping
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import torch
from torch import nn
from transformers import BitsAndBytesConfig, PretrainedConfig

from datainf.core.errors import AdapterError, OptionError
from datainf.core.options import Precision

_DTYPES: Mapping[Precision, torch.dtype | str] = {
    Precision.FLOAT32: torch.float32,
    Precision.BFLOAT16: torch.bfloat16,
    Precision.FLOAT16: torch.float16,
    Precision.AUTO: "auto",
    Precision.INT8: torch.float32,
    Precision.INT4: torch.float32,
}
_BITS: Mapping[Precision, Mapping[str, Any]] = {
    Precision.INT8: {"load_in_8bit": True},
    Precision.INT4: {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4"},
}
_BITSANDBYTES = "bitsandbytes"
# The first that finds a bitsandbytes for any CPU usable.
_FIRST = (4, 53)


def loading_options(
    precision: Precision, config: PretrainedConfig, kept: Collection[str] = ()
) -> dict[str, Any]:
    """Say how `from_pretrained` is to load the weights.

    Args:
        precision: The format asked for.
        config: The base's.
        kept: Names of modules that are trained whole and so must stay floats; the
            language model's head, which transformers keeps, when empty.

    Returns:
        Arguments of `from_pretrained`.

    Raises:
        OptionError: If the base is quantised otherwise already, or bitsandbytes is
            missing.
    """
    options: dict[str, Any] = {_dtype_argument(): _DTYPES[precision]}
    held = _held(config)
    if held:
        method = str(held.get("quant_method", _BITSANDBYTES))
        if method == _BITSANDBYTES:
            _require_bitsandbytes("the base was saved in 8 or 4 bits, which")
        asked = _BITS.get(precision, {})
        if asked and not (method == _BITSANDBYTES and held.get(next(iter(asked)))):
            raise OptionError(
                f"precision={str(precision)!r}, but the base is quantised already "
                f"({method}); leave precision out, and it is loaded as it is."
            )
    elif precision in _BITS:
        _require_bitsandbytes(f"precision={str(precision)!r}")
        options["quantization_config"] = BitsAndBytesConfig(
            **_BITS[precision], llm_int8_skip_modules=list(kept) or None
        )
    return options


def pipeline_dtype(precision: Precision) -> torch.dtype | str:
    """Give the number format of a diffusion pipeline's weights.

    Args:
        precision: The format asked for.

    Returns:
        A torch dtype, or "auto".

    Raises:
        OptionError: If it is one of bitsandbytes.
    """
    if precision in _BITS:
        raise OptionError(
            f"precision={str(precision)!r} is for language models and classifiers; "
            "load the pipeline with a quantization_config of diffusers and give it to "
            "`datainf.attribute`."
        )
    return _DTYPES[precision]


def settle(model: nn.Module, kept: Collection[str]) -> None:
    """Make sure that a loaded base can be trained on; nothing to do for floats.

    Where a CPU has AVX512-BF16, layers of 4 bits would rewrite their weights for it in
    their first call in eval mode: with other scales, and without a gradient.

    Args:
        model: The base; changed in place.
        kept: Names of modules that are trained whole.

    Raises:
        AdapterError: If one of those is quantised.
    """
    for path, module in model.named_modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False
        weight = getattr(module, "weight", None)
        if not isinstance(weight, torch.Tensor) or weight.is_floating_point():
            continue
        if {*kept} & set(path.split(".")):
            raise AdapterError(
                f"{path} is to be trained whole (modules_to_save), but is quantised: "
                f"its weight is {weight.dtype}; adapt it with target_modules instead, "
                "or load the base in float32."
            )


def _held(config: PretrainedConfig) -> Mapping[str, Any]:
    """Read how a saved base is quantised; empty where it is not."""
    held: Any = getattr(config, "quantization_config", None) or {}
    return held if isinstance(held, Mapping) else held.to_dict()


def _require_bitsandbytes(what: str) -> None:
    """Refuse to go on without bitsandbytes, or with a transformers that misreads it."""
    if find_spec(_BITSANDBYTES) is None:
        raise OptionError(
            f"{what} needs bitsandbytes: pip install 'datainf[quantized]'."
        )
    if _transformers() < _FIRST:
        raise OptionError(
            f"{what} needs transformers {'.'.join(map(str, _FIRST))} or later, got "
            f"{version('transformers')}; pip install -U transformers."
        )


def _dtype_argument() -> str:
    """Name the argument for the weights' dtype: renamed in transformers 4.56."""
    return "dtype" if _transformers() >= (4, 56) else "torch_dtype"


def _transformers() -> tuple[int, int]:
    major, minor = (int(part) for part in version("transformers").split(".")[:2])
    return major, minor
