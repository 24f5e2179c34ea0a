"""Train the small pipeline: Stable Diffusion's classes at a thousandth of their size.

    python -m scripts.train_demo_pipeline --out DIR

It practises the styles `PRACTISED` of `datainf.experiments.data.pictures` and is saved
in half precision as `diffusers.StableDiffusionPipeline` loads it. The copy that
`datainf reproduce text-to-image` uses is shipped in
`src/datainf/experiments/assets/demo-pipeline`.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import (
    AutoencoderKL,
    DDPMScheduler,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch import Tensor
from torch.nn import functional
from transformers import CLIPTextConfig, CLIPTextModel, PreTrainedTokenizerFast

from datainf.experiments.data.pictures import PRACTISED, WORDS, drawn_rows

TOKENS = 12
"""Of a caption, with its begin and end."""
EMPTY = 0.1
"""Share of captions that are left out, for guidance without a classifier."""


def build_tokenizer() -> PreTrainedTokenizerFast:
    """Make the tokenizer: one token a word, with a begin and an end."""
    special = ["<pad>", "<unk>", "<s>", "</s>"]
    vocabulary = {token: i for i, token in enumerate([*special, *WORDS])}
    inner = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    inner.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        special_tokens=[(token, vocabulary[token]) for token in ("<s>", "</s>")],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        pad_token="<pad>",
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        model_max_length=TOKENS,
        model_input_names=["input_ids", "attention_mask"],
    )


def build_pipeline() -> StableDiffusionPipeline:
    """Make the untrained pipeline: 8 × 8 × 4 latents of 32 × 32 pixels."""
    tokenizer = build_tokenizer()
    text = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=TOKENS,
        projection_dim=64,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return StableDiffusionPipeline(
        vae=AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * 3,
            up_block_types=("UpDecoderBlock2D",) * 3,
            block_out_channels=(16, 24, 32),
            layers_per_block=1,
            latent_channels=4,
            norm_num_groups=8,
            mid_block_add_attention=False,
        ),
        text_encoder=CLIPTextModel(text),
        tokenizer=tokenizer,
        unet=UNet2DConditionModel(
            sample_size=8,
            down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
            block_out_channels=(48, 80),
            layers_per_block=1,
            norm_num_groups=8,
            attention_head_dim=16,
            cross_attention_dim=64,
        ),
        scheduler=DDPMScheduler(
            beta_schedule="scaled_linear",
            beta_start=0.00085,
            beta_end=0.012,
            steps_offset=1,
            clip_sample=False,
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def batches(size: int, seed: int) -> Iterator[tuple[Tensor, list[str]]]:
    """Draw pictures without end, as values from -1 to 1, with their captions."""
    while True:
        rows = drawn_rows(PRACTISED, -(-size // len(PRACTISED)), seed)[:size]
        pixels = np.stack([np.array(row["image"]) for row in rows])
        values = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1
        yield values, [row["text"] for row in rows]
        seed += 1


def train_vae(vae: AutoencoderKL, steps: int, size: int) -> None:
    """Learn latents by reconstruction, with a light pull towards a normal."""
    optimizer = torch.optim.AdamW(vae.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, max(2, steps))
    pictures, began = batches(size, 10_000_000), time.perf_counter()
    for step in range(1, steps + 1):
        values, _ = next(pictures)
        found = vae.encode(values).latent_dist
        made = vae.decode(found.sample()).sample
        loss = functional.mse_loss(made, values) + 1e-4 * found.kl().mean() / 256
        _step(optimizer, schedule, loss, vae.parameters())
        _tell("vae", step, steps, loss, began)
    with torch.no_grad():
        values, _ = next(pictures)
        spread = float(vae.encode(values).latent_dist.sample().std())
    vae.register_to_config(scaling_factor=1 / spread)


def train_denoiser(pipeline: Any, steps: int, size: int) -> None:
    """Learn to denoise latents, text encoder and UNet together."""
    vae, unet, text = pipeline.vae, pipeline.unet, pipeline.text_encoder
    parameters = [*unet.parameters(), *text.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-3, max(2, steps))
    draw = torch.Generator().manual_seed(0)
    pictures, began = batches(size, 0), time.perf_counter()
    for step in range(1, steps + 1):
        values, captions = next(pictures)
        with torch.no_grad():
            latents = vae.encode(values).latent_dist.sample(draw)
            latents = latents * vae.config.scaling_factor
        kept = torch.rand(len(captions), generator=draw) >= EMPTY
        said = [c if keep else "" for c, keep in zip(captions, kept, strict=True)]
        ids = pipeline.tokenizer(
            said, padding="max_length", truncation=True, return_tensors="pt"
        ).input_ids
        noise = torch.randn(latents.shape, generator=draw)
        times = torch.randint(1000, (len(latents),), generator=draw)
        noisy = pipeline.scheduler.add_noise(latents, noise, times)
        found = unet(noisy, times, text(ids)[0]).sample
        loss = functional.mse_loss(found, noise)
        _step(optimizer, schedule, loss, parameters)
        _tell("denoiser", step, steps, loss, began)


def _step(optimizer: Any, schedule: Any, loss: Tensor, parameters: Any) -> None:
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(parameters, 1.0)
    optimizer.step()
    schedule.step()


def _tell(what: str, step: int, steps: int, loss: Tensor, began: float) -> None:
    if step % 100 == 0 or step == steps:
        seconds = time.perf_counter() - began
        print(
            f"{what} step {step}/{steps}  loss {loss.item():.4f}  {seconds:.0f} s",
            file=sys.stderr,
        )


def main(arguments: list[str] | None = None) -> None:
    """Train and save."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--vae-steps", type=int, default=1500)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--batch-size", type=int, default=32)
    given = parser.parse_args(arguments)
    torch.manual_seed(0)
    pipeline = build_pipeline()
    train_vae(pipeline.vae.train(), given.vae_steps, given.batch_size)
    pipeline.vae.eval().requires_grad_(False)
    train_denoiser(pipeline, given.steps, given.batch_size)
    for part in (pipeline.vae, pipeline.unet, pipeline.text_encoder):
        part.eval().half()
    pipeline.save_pretrained(given.out)


if __name__ == "__main__":
    main()
