"""Tiny denoisers of diffusers with their text encoders, LoRA on every layer of both."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import peft
import pytest
import torch

pytest.importorskip(
    "diffusers.models", reason="not with these versions", exc_type=ImportError
)

from diffusers import (
    FluxTransformer2DModel,
    PixArtTransformer2DModel,
    SD3Transformer2DModel,
    UNet2DConditionModel,
)
from torch import Tensor, nn
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    T5Config,
    T5EncoderModel,
)

from tests.capture.peft_cases import perturb
from tests.cases import TokenTask

VOCAB, WIDTH, POOLED, TOKENS = 29, 6, 5, 7
# Images of two sizes; those of one size go into one batch.
BATCHES = ((1, 0), (2,))
SIZES = ((6, 4), (6, 4), (2, 8))


def unet() -> nn.Module:
    return UNet2DConditionModel(
        sample_size=8,
        in_channels=3,
        out_channels=3,
        block_out_channels=(8, 12),
        layers_per_block=1,
        norm_num_groups=2,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        mid_block_type=None,
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=WIDTH,
        attention_head_dim=2,
    )


def sd3() -> nn.Module:
    return SD3Transformer2DModel(
        sample_size=16,
        patch_size=2,
        in_channels=3,
        out_channels=3,
        num_layers=2,
        attention_head_dim=4,
        num_attention_heads=2,
        joint_attention_dim=WIDTH,
        caption_projection_dim=8,
        pooled_projection_dim=POOLED,
        pos_embed_max_size=12,
        qk_norm="rms_norm",
    )


def flux() -> nn.Module:
    return FluxTransformer2DModel(
        patch_size=1,
        in_channels=3,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=8,
        num_attention_heads=2,
        joint_attention_dim=WIDTH,
        pooled_projection_dim=POOLED,
        axes_dims_rope=(2, 2, 4),
    )


def pixart() -> nn.Module:
    return PixArtTransformer2DModel(
        sample_size=8,
        num_layers=1,
        patch_size=2,
        attention_head_dim=6,
        num_attention_heads=2,
        in_channels=3,
        out_channels=6,
        cross_attention_dim=12,
        caption_channels=WIDTH,
        use_additional_conditions=True,
        norm_num_groups=1,
    )


DENOISERS: dict[str, Callable[[], nn.Module]] = {
    "unet": unet,
    "sd3": sd3,
    "flux": flux,
    "pixart": pixart,
}


class Model(nn.Module):
    """A denoiser and a text encoder, called as training scripts call them."""

    def __init__(self, kind: str, *, fused: bool) -> None:
        super().__init__()
        self.kind = kind
        denoiser: Any = DENOISERS[kind]()
        if fused:
            denoiser.fuse_qkv_projections()
        self.denoiser = denoiser
        self.encoder: Any = t5() if kind == "pixart" else clip(pooled=kind != "unet")

    def encode(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Give the text's tokens, and one vector for all of it where CLIP reads."""
        said = self.encoder(ids)
        hidden = said.last_hidden_state
        return hidden, getattr(said, "text_embeds", hidden[:, 0])

    def forward(self, x: Tensor, step: Tensor, text: Tensor, pooled: Tensor) -> Tensor:
        rows, _, height, width = x.shape
        denoiser: Any = self.denoiser
        match self.kind:
            case "unet":
                said: Tensor = denoiser(x, step, text).sample
            case "sd3":
                said = denoiser(x, text, pooled, step).sample
            case "pixart":
                size = x.new_tensor([[height, width]]).repeat(rows, 1)
                added = {"resolution": size, "aspect_ratio": x.new_ones(rows, 1)}
                said = denoiser(x, text, step, added).sample[:, :3]
            case "flux":
                sides = (torch.arange(n) for n in (1, height, width))
                places = torch.cartesian_prod(*sides).float()
                nowhere = torch.zeros(text.shape[1], 3)
                tokens = x.flatten(2).transpose(1, 2)
                step = step / 1000
                said = denoiser(tokens, text, pooled, step, places, nowhere).sample
                said = said.transpose(1, 2).reshape(x.shape)
        return said


def clip(*, pooled: bool) -> nn.Module:
    config = CLIPTextConfig(
        vocab_size=VOCAB,
        hidden_size=WIDTH,
        intermediate_size=11,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=TOKENS,
        projection_dim=POOLED,
        bos_token_id=0,
        eos_token_id=VOCAB - 1,
    )
    return CLIPTextModelWithProjection(config) if pooled else CLIPTextModel(config)


def t5() -> nn.Module:
    return T5EncoderModel(
        T5Config(
            vocab_size=VOCAB, d_model=WIDTH, d_kv=3, d_ff=11, num_layers=1, num_heads=2
        )
    )


def adapted(
    kind: str,
    *,
    fused: bool = False,
    only: tuple[str, ...] = ("",),
    lora: Mapping[str, Any] | None = None,
) -> peft.PeftModel:
    """Build a model with LoRA on every linear layer and convolution that it calls.

    Args:
        kind: Of `DENOISERS`.
        fused: Whether queries, keys and values are made by one layer.
        only: Parts of the names of the layers that get one.
        lora: Further options of LoRA.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        base = Model(kind, fused=fused)
        targets = [n for n in called(base) if any(part in n for part in only)]
        config = {"r": 2, "target_modules": targets, **(lora or {})}
        model = peft.get_peft_model(base, peft.LoraConfig(**config))
    perturb(model, 0.1)
    return model.eval()


def called(model: nn.Module) -> list[str]:
    """Name the layers that a loss depends on."""
    return [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear | nn.Conv2d) and not _unused(model, name)
    ]


def _unused(model: nn.Module, name: str) -> bool:
    path, _, own = name.rpartition(".")
    around = model.get_submodule(path)
    # SD3's last block reads the text's keys and values alone.
    if own == "add_q_proj" and getattr(around, "context_pre_only", None):
        return True
    fused = {
        "to_qkv": {"to_q", "to_k", "to_v"},
        "to_kv": {"to_k", "to_v"},
        "to_added_qkv": {"add_q_proj", "add_k_proj", "add_v_proj"},
    }
    return any(hasattr(around, one) and own in parts for one, parts in fused.items())


@dataclass(frozen=True)
class Denoise(TokenTask):
    """The mean square of what a denoiser misses, over timesteps with one noise each.

    Attributes:
        steps: How many timesteps.
        together: Whether they go through the denoiser in one call, those of an example
            side by side, or one call a timestep.
    """

    steps: int = 3
    together: bool = True
    rows_together: bool = True

    def collate(self, examples: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
        return {key: torch.stack([e[key] for e in examples]) for key in ("x", "ids")}

    def losses(self, model: Any, batch: Mapping[str, Tensor]) -> Tensor:
        x, net = batch["x"], model.get_base_model()
        text, pooled = net.encode(batch["ids"])
        steps = torch.tensor([11.0, 503.0, 977.0])[: self.steps].to(x)
        noise = torch.stack([_noise(i, x[0]) for i in range(self.steps)])
        if not self.together:
            return torch.stack(
                [
                    _missed(model, x, n.expand_as(x), s.expand(len(x)), text, pooled)
                    for n, s in zip(noise, steps, strict=True)
                ]
            ).mean(0)
        x, text, pooled = (
            part.repeat_interleave(self.steps, 0) for part in (x, text, pooled)
        )
        times = len(batch["x"])
        steps, noise = steps.repeat(times), noise.repeat(times, 1, 1, 1)
        missed = _missed(model, x, noise, steps, text, pooled)
        return missed.view(times, self.steps).mean(1)


def _noise(number: int, like: Tensor) -> Tensor:
    generator = torch.Generator().manual_seed(number)
    return torch.randn(like.shape, generator=generator).to(like)


def _missed(
    model: nn.Module,
    x: Tensor,
    noise: Tensor,
    step: Tensor,
    text: Tensor,
    pooled: Tensor,
) -> Tensor:
    mixed = x * (1 - step / 1000).view(-1, 1, 1, 1) + noise
    said = model(mixed, step, text, pooled)
    return (said - noise).square().flatten(1).mean(1)


def pictures(dtype: torch.dtype) -> list[dict[str, Tensor]]:
    """Three examples in two sizes."""
    generator = torch.Generator().manual_seed(1)
    return [
        {
            "x": torch.randn(3, *size, generator=generator).to(dtype),
            "ids": torch.randint(VOCAB, (TOKENS,), generator=generator),
        }
        for size in SIZES
    ]
