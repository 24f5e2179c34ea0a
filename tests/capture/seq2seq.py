"""A tiny T5 and the tiniest task for it: the target is the first half of the source."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModelForSeq2SeqLM, PreTrainedModel, T5Config

from tests.cases import TokenTask
from tests.tiny_models import VOCAB


def tiny_t5(seed: int = 0) -> PreTrainedModel:
    """Make a two-layer T5, from a seed, in eval mode."""
    config = T5Config(
        vocab_size=VOCAB,
        d_model=16,
        d_kv=8,
        d_ff=23,
        num_layers=2,
        num_heads=2,
        decoder_start_token_id=0,
        pad_token_id=0,
        eos_token_id=3,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model: PreTrainedModel = AutoModelForSeq2SeqLM.from_config(config)
    return model.eval()


@dataclass(frozen=True)
class Seq2SeqTask(TokenTask):
    """Pads the source on either side, the target on the right."""

    def collate(self, examples: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
        made = super().collate([{**e, "labels": 0} for e in examples])
        targets = [e["input_ids"][: 1 + len(e["input_ids"]) // 2] for e in examples]
        width = max(map(len, targets))
        rows = [row + [-100] * (width - len(row)) for row in targets]
        return {**made, "labels": torch.tensor(rows)}

    def losses(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        labels = batch["labels"]
        start = torch.zeros_like(labels[:, :1])
        logits = model(
            input_ids=batch["input_ids"],
            attention_mask=batch["attention_mask"],
            decoder_input_ids=torch.cat([start, labels[:, :-1].clamp(min=0)], dim=1),
            decoder_attention_mask=torch.cat(
                [start + 1, (labels[:, :-1] != -100).long()], dim=1
            ),
        ).logits[:, -labels.shape[1] :]
        tokens = nn.functional.cross_entropy(
            logits.transpose(1, 2), labels, reduction="none", ignore_index=-100
        )
        return tokens.sum(1) / (labels != -100).sum(1)
