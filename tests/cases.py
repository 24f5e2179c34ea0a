"""The table of tiny models that capture is tested on: one row a case.

Each case gives a PEFT model, a task with the tiniest possible collate (tokens come
ready made), and examples of mixed lengths. Sizes are distinct primes where they are
ours to choose.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from peft import PeftModel
from torch import Tensor, nn

from tests.tiny_models import VOCAB, tiny_bert_classifier, tiny_llama, with_lora

LENGTHS = (7, 3, 13, 5, 11, 2, 17)


@dataclass(frozen=True)
class TokenTask:
    """Rows of `input_ids` and `labels` (a class, or one a token); pads either side."""

    padding_side: str = "right"
    positions: bool = True

    def collate(self, examples: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
        width = max(len(e["input_ids"]) for e in examples)
        batch: dict[str, list[Any]] = {
            "input_ids": [],
            "attention_mask": [],
            "labels": [],
        }
        positions = []
        for e in examples:
            n, ids = len(e["input_ids"]), list(e["input_ids"])
            batch["input_ids"].append(self._pad(ids, width, 0))
            batch["attention_mask"].append(self._pad([1] * n, width, 0))
            positions.append(self._pad(list(range(n)), width, 0))
            labels = e["labels"]
            batch["labels"].append(
                labels if isinstance(labels, int) else self._pad(labels, width, -100)
            )
        made = {key: torch.tensor(value) for key, value in batch.items()}
        if self.positions and not isinstance(examples[0]["labels"], int):
            made["position_ids"] = torch.tensor(positions)
        return made

    def _pad(self, row: list[int], width: int, fill: int) -> list[int]:
        rest = [fill] * (width - len(row))
        return row + rest if self.padding_side == "right" else rest + row

    def losses(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        inputs = {key: value for key, value in batch.items() if key != "labels"}
        logits, labels = model(**inputs).logits, batch["labels"]
        if labels.ndim == 1:
            return nn.functional.cross_entropy(logits, labels, reduction="none")
        # Soft prompts put positions before the first token.
        logits, labels = logits[:, -labels.shape[1] : -1], labels[:, 1:]
        tokens = nn.functional.cross_entropy(
            logits.transpose(1, 2), labels, reduction="none", ignore_index=-100
        )
        return tokens.sum(1) / (labels != -100).sum(1)

    def describe(self, example: Mapping[str, Any]) -> str:
        return str(example["input_ids"])

    def length(self, example: Mapping[str, Any]) -> int:
        return len(example["input_ids"])

    def settings(self) -> dict[str, Any]:
        return {"name": "tokens"}


def token_rows(kind: str, seed: int = 0) -> list[dict[str, Any]]:
    """Make examples of the lengths in `LENGTHS` for an `encoder` or a `decoder`."""
    generator = torch.Generator().manual_seed(seed)
    rows = []
    for i, n in enumerate(LENGTHS):
        ids = torch.randint(4, VOCAB, (n,), generator=generator).tolist()
        labels: Any = i % 3 if kind == "encoder" else [-100, *ids[1:]]
        rows.append({"input_ids": ids, "labels": labels})
    return rows


def encoder(**options: Any) -> PeftModel:
    """A BERT classifier whose query and value carry LoRA and whose head is trained."""
    return with_lora(tiny_bert_classifier(3, **options), "SEQ_CLS")


def decoder(**options: Any) -> PeftModel:
    """A Llama whose q_proj and v_proj carry LoRA."""
    return with_lora(tiny_llama(**options), "CAUSAL_LM")


def decoder_all_linear(**options: Any) -> PeftModel:
    """A Llama with LoRA on every linear layer, some called with other widths."""
    names = (
        "q_proj",
        "k_proj",
        "v_proj",
        "o_proj",
        "gate_proj",
        "up_proj",
        "down_proj",
    )
    return with_lora(tiny_llama(**options), "CAUSAL_LM", r=3, targets=names)


CASES: dict[str, tuple[str, Callable[..., PeftModel]]] = {
    "encoder": ("encoder", encoder),
    "decoder": ("decoder", decoder),
    "decoder-all-linear": ("decoder", decoder_all_linear),
}
