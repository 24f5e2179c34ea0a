"""Tiny pipelines of diffusers, one a family, made in code from a seed.

Real classes with random weights: text encoders of width 8, a VAE that halves twice.
Prompts are read by the tokenizer of single characters.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    T5Config,
    T5EncoderModel,
)

from datainf.integrations.diffusion.denoising import Denoising, denoising_of
from datainf.integrations.tasks.text_to_image import TextToImage
from tests.tiny_models import VOCAB, tiny_tokenizer

try:
    import diffusers.pipelines  # it needs newer versions than our lowest
except (ImportError, RuntimeError):
    DIFFUSERS = False
else:
    DIFFUSERS = True

_LENGTH = 7
"""Tokens of a prompt for CLIP; longer ones are cut."""


def _tokenizer() -> Any:
    tokenizer = tiny_tokenizer()
    tokenizer.model_max_length = _LENGTH
    return tokenizer


def _clip(
    kind: Any = CLIPTextModel,
    width: int = 8,
    projection: int = 6,
    length: int = _LENGTH,
) -> Any:
    config = CLIPTextConfig(
        vocab_size=VOCAB,
        hidden_size=width,
        intermediate_size=11,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=length,
        projection_dim=projection,
        bos_token_id=2,
        eos_token_id=3,
        pad_token_id=0,
    )
    return kind(config)


def longer_reader(length: int) -> Any:
    """A text encoder like Stable Diffusion's tiny one, for prompts of more tokens."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return _clip(length=length).eval()


def _t5(width: int = 8) -> Any:
    config = T5Config(
        vocab_size=VOCAB,
        d_model=width,
        d_kv=4,
        d_ff=11,
        num_layers=1,
        num_heads=2,
        dropout_rate=0.1,
    )
    return T5EncoderModel(config)


def _vae(channels: int = 4) -> Any:
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        in_channels=3,
        out_channels=3,
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(4, 4, 8),
        layers_per_block=1,
        latent_channels=channels,
        norm_num_groups=2,
        scaling_factor=0.7,
        shift_factor=0.1 if channels != 4 else None,
    )


def _unet(**options: Any) -> Any:
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        **{
            "sample_size": 8,
            "in_channels": 4,
            "out_channels": 4,
            "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
            "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
            "block_out_channels": (6, 10),
            "layers_per_block": 1,
            "norm_num_groups": 2,
            "attention_head_dim": 2,
            "cross_attention_dim": 8,
            **options,
        }
    )


def stable_diffusion(prediction: str = "epsilon") -> Any:
    """Stable Diffusion 1 or 2."""
    from diffusers import DDPMScheduler, StableDiffusionPipeline

    return StableDiffusionPipeline(
        vae=_vae(),
        text_encoder=_clip(),
        tokenizer=_tokenizer(),
        unet=_unet(),
        scheduler=DDPMScheduler(
            prediction_type=prediction, steps_offset=1, clip_sample=False
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def stable_diffusion_xl() -> Any:
    """Stable Diffusion XL."""
    from diffusers import EulerDiscreteScheduler, StableDiffusionXLPipeline

    unet = _unet(
        cross_attention_dim=20,
        addition_embed_type="text_time",
        addition_time_embed_dim=4,
        projection_class_embeddings_input_dim=6 * 4 + 6,
    )
    return StableDiffusionXLPipeline(
        vae=_vae(),
        text_encoder=_clip(),
        text_encoder_2=_clip(CLIPTextModelWithProjection, width=12),
        tokenizer=_tokenizer(),
        tokenizer_2=_tokenizer(),
        unet=unet,
        scheduler=EulerDiscreteScheduler(),
        add_watermarker=False,
    )


def stable_diffusion_3() -> Any:
    """Stable Diffusion 3."""
    from diffusers import (
        FlowMatchEulerDiscreteScheduler,
        SD3Transformer2DModel,
        StableDiffusion3Pipeline,
    )

    transformer = SD3Transformer2DModel(
        sample_size=8,
        patch_size=2,
        in_channels=5,
        num_layers=2,
        attention_head_dim=4,
        num_attention_heads=2,
        joint_attention_dim=24,
        caption_projection_dim=8,
        pooled_projection_dim=6 + 5,
        out_channels=5,
        pos_embed_max_size=16,
    )
    return StableDiffusion3Pipeline(
        transformer=transformer,
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=_vae(5),
        text_encoder=_clip(CLIPTextModelWithProjection),
        tokenizer=_tokenizer(),
        text_encoder_2=_clip(CLIPTextModelWithProjection, width=12, projection=5),
        tokenizer_2=_tokenizer(),
        text_encoder_3=_t5(24),
        tokenizer_3=_tokenizer(),
    )


def flux() -> Any:
    """Flux, guidance-distilled."""
    from diffusers import (
        FlowMatchEulerDiscreteScheduler,
        FluxPipeline,
        FluxTransformer2DModel,
    )

    transformer = FluxTransformer2DModel(
        patch_size=1,
        in_channels=20,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=6,
        num_attention_heads=2,
        joint_attention_dim=10,
        pooled_projection_dim=8,
        axes_dims_rope=(2, 2, 2),
        guidance_embeds=True,
    )
    return FluxPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=_vae(5),
        text_encoder=_clip(),
        tokenizer=_tokenizer(),
        text_encoder_2=_t5(10),
        tokenizer_2=_tokenizer(),
        transformer=transformer,
    )


def pixart(sample_size: int = 8) -> Any:
    """PixArt-alpha; with `sample_size=128` one that reads sizes."""
    from diffusers import (
        DDPMScheduler,
        PixArtAlphaPipeline,
        PixArtTransformer2DModel,
    )

    transformer = PixArtTransformer2DModel(
        num_attention_heads=2,
        attention_head_dim=6,
        in_channels=4,
        out_channels=8,
        num_layers=1,
        cross_attention_dim=12,
        sample_size=sample_size,
        patch_size=2,
        norm_num_groups=2,
        caption_channels=10,
    )
    return PixArtAlphaPipeline(
        tokenizer=_tokenizer(),
        text_encoder=_t5(10),
        vae=_vae(),
        transformer=transformer,
        scheduler=DDPMScheduler(),
    )


PIPELINES: Mapping[str, Callable[[], Any]] = {
    "stable-diffusion": stable_diffusion,
    "stable-diffusion-v": lambda: stable_diffusion("v_prediction"),
    "stable-diffusion-xl": stable_diffusion_xl,
    "stable-diffusion-3": stable_diffusion_3,
    "flux": flux,
    "pixart": pixart,
}
ATTENTION = ("to_q", "to_v", "to_out.0")


def tiny_pipeline(
    family: str = "stable-diffusion",
    *,
    dtype: torch.dtype = torch.float64,
    seed: int = 0,
) -> Any:
    """Make a pipeline, in eval mode, without a progress bar.

    Args:
        family: A key of `PIPELINES`.
        dtype: Of all weights.
        seed: Of the weights; the global generator is left as it was.

    Returns:
        The pipeline.
    """
    # It tells of every cast, and of every prompt that is cut.
    diffusers.logging.set_verbosity_error()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        pipeline = PIPELINES[family]()
        for part in pipeline.components.values():
            if isinstance(part, torch.nn.Module):
                part.eval()
                # Some layers begin as zeros, behind which nothing has a gradient.
                for parameter in part.parameters():
                    if not parameter.any():
                        torch.nn.init.normal_(parameter, std=0.1)
    pipeline.to(dtype=dtype)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def with_diffusion_lora(
    pipeline: Any,
    targets: Sequence[str] = ATTENTION,
    *,
    seed: int = 0,
    **options: Any,
) -> PeftModel:
    """Put a LoRA that is not at its start on a pipeline's parts.

    Args:
        pipeline: Of diffusers.
        targets: Endings of module names.
        seed: Of the adapter's weights.
        options: Of `LoraConfig`.

    Returns:
        The PEFT model around the pipeline's `Denoising`.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        config = LoraConfig(r=2, lora_alpha=4, target_modules=list(targets), **options)
        model = get_peft_model(Denoising(pipeline), config)
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.3)
    return model.to(next(pipeline.vae.parameters()).dtype).eval()


def tiny_images(
    sizes: Sequence[tuple[int, int]] = ((32, 32), (32, 48), (40, 32)),
) -> list[dict[str, Any]]:
    """Draw pictures of noise with captions.

    Args:
        sizes: Width and height of each.

    Returns:
        Rows of `image` and `text`.
    """
    from PIL import Image

    generator = torch.Generator().manual_seed(1)
    rows = []
    for i, (width, height) in enumerate(sizes):
        pixels = torch.randint(256, (height, width, 3), generator=generator)
        image = Image.fromarray(pixels.to(torch.uint8).numpy())
        rows.append({"image": image, "text": "xyz"[i % 3] * (i % 4)})
    return rows


def tiny_subject(**options: Any) -> tuple[PeftModel, Any]:
    """Make a float32 pipeline with a LoRA, and its task: one timestep, 16 pixels."""
    model = with_diffusion_lora(tiny_pipeline(dtype=torch.float32))
    pipeline = denoising_of(model).pipeline
    return model, TextToImage(pipeline, timesteps=1, resolution=16, **options)
