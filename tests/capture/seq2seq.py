"""The tiniest task for a T5: the target is the first half of the source."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from tests.cases import TokenTask


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
