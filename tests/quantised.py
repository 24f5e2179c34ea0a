"""A tiny Llama in 8 and 4 bits, by bitsandbytes as transformers loads it."""

from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from packaging.version import Version
from transformers import AutoModelForCausalLM, LlamaConfig

from datainf.integrations.base_models import load_base
from datainf.integrations.tasks.causal_lm import CausalLM
from tests.tiny_models import POSITIONS, VOCAB, tiny_tokenizer

needs_bitsandbytes = pytest.mark.skipif(
    find_spec("bitsandbytes") is None
    or Version(version("transformers")) < Version("4.53"),
    reason="needs bitsandbytes, and transformers 4.53 to find it usable on a CPU",
)
WIDTH = 64
"""4 bits are rewritten in eval mode for widths that 32 and a block of 64 divide."""


def put_wide_base(folder: Path, *, scale: float = 1.0) -> str:
    """Save a Llama wide enough for blocks of 4 bits, and its tokenizer.

    Args:
        folder: Where to.
        scale: What the first layer's query weights are multiplied by.

    Returns:
        The folder.
    """
    config = LlamaConfig(
        vocab_size=VOCAB,
        hidden_size=WIDTH,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        intermediate_size=2 * WIDTH,
        max_position_embeddings=POSITIONS,
        pad_token_id=0,
        bos_token_id=2,
        eos_token_id=3,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(config)
    model.model.layers[0].self_attn.q_proj.weight.data *= scale
    model.save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return str(folder)


def quantised(folder: str, precision: str, **options: Any) -> Any:
    """Load that base in 8 or 4 bits."""
    task = CausalLM(tiny_tokenizer())
    return load_base(folder, task, precision=precision, **options)
