"""Adapters on tiny bases, trained in name only and saved as peft saves them."""

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import PreTrainedModel

from datainf.integrations.base_models import load_base
from datainf.integrations.tasks.causal_lm import CausalLM
from datainf.integrations.tasks.sequence_classification import SequenceClassification
from tests.tiny_models import (
    tiny_bert_classifier,
    tiny_llama,
    tiny_tokenizer,
    with_lora,
)

CLASSES = 5
WEIGHTS = "adapter_model.safetensors"
Q = "base_model.model.model.layers.{}.self_attn.q_proj.lora_{}.weight"
HEAD = "base_model.model.classifier.{}"
IDS = torch.tensor([[2, 5, 7, 11, 13], [2, 17, 19, 0, 0]])
MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])


def put(folder: Path, model: PreTrainedModel) -> None:
    """Save a base and its tokenizer."""
    model.save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)


def put_bases(folder: Path) -> Path:
    """Save an encoder without a head, one with three classes, and a Llama."""
    put(folder / "encoder", tiny_bert_classifier().bert)
    put(folder / "classifier", tiny_bert_classifier(3))
    put(folder / "decoder", tiny_llama())
    return folder


def loaded(base: Path, *, head: bool) -> PreTrainedModel:
    """Load a base, with a head of `CLASSES` classes where it has none of its own."""
    if not head:
        return load_base(str(base), CausalLM(tiny_tokenizer()))
    classes = 3 if base.name == "classifier" else CLASSES
    return load_base(
        str(base), SequenceClassification(tiny_tokenizer()), classes, seed=7
    )


def saved(
    out: Path,
    base: Path,
    task_type: str = "CAUSAL_LM",
    *,
    whole: bool = False,
    **options: Any,
) -> PeftModel:
    """Put an adapter on a base and save it.

    Args:
        out: The adapter's folder.
        base: The base's folder.
        task_type: The adapter's.
        whole: Whether to save the embeddings too, as peft does where they changed.
        **options: Of `with_lora`.

    Returns:
        The trained model.
    """
    model = with_lora(loaded(base, head=task_type == "SEQ_CLS"), task_type, **options)
    model.save_pretrained(out, save_embedding_layers=whole)
    return model


def saved_without_type(
    out: Path, base: Path, *targets: str, **options: Any
) -> PeftModel:
    """Save an adapter that does not say what it is for."""
    model = get_peft_model(
        loaded(base, head=base.name != "decoder"),
        LoraConfig(r=2, target_modules=list(targets), **options),
    )
    model.save_pretrained(out, save_embedding_layers=False)
    return model.eval()


def change(folder: Path, file: str, values: Mapping[str, Any]) -> None:
    """Change entries of a JSON file."""
    held = json.loads((folder / file).read_text())
    (folder / file).write_text(json.dumps({**held, **values}))


def change_weights(
    folder: Path, *, lack: Collection[str] = (), extra: Collection[str] = ()
) -> None:
    """Take tensors out of an adapter's weights, and put others in."""
    held = load_file(folder / WEIGHTS)
    kept = {name: tensor for name, tensor in held.items() if name not in lack}
    assert len(held) - len(kept) == len(lack)
    save_file({**kept, **{name: torch.ones(2, 3) for name in extra}}, folder / WEIGHTS)


def same(model: nn.Module, other: nn.Module) -> bool:
    """Say whether two models have the same parameters and outputs, to the bit."""
    mine, theirs = _parameters(model), _parameters(other.cpu())
    assert mine.keys() == theirs.keys()
    with torch.no_grad():
        outputs = [m(input_ids=IDS, attention_mask=MASK).logits for m in (model, other)]
    return torch.equal(*outputs) and all(torch.equal(mine[n], theirs[n]) for n in mine)


def _parameters(model: nn.Module) -> dict[str, nn.Parameter]:
    """All that counts: PEFT keeps a head as the base had it, but never uses it."""
    return {n: p for n, p in model.named_parameters() if ".original_module." not in n}
