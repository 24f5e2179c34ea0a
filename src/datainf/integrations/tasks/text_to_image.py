"""TextToImage: an image and its caption; pipelines of diffusers with a LoRA.

    loss = Σ_p w_p · mean (said_p − target_p)²        one number an example

over a stated set of passes p, each one timestep and one noise, the same for every
example (`diffusion.passes`): what training lowers in expectation, without its luck.
w sums to 1. The mean is over channels and places of the latent, in float32, or float64
for such a model. Instead of the loss, the mean square of what the denoiser says can be
measured (D-TRAK: Zheng et al. 2024, arXiv:2311.00500).

Images of several sizes may stand in one batch: they go through the model size by size.
B examples of one batch, C × h × w a latent, P passes.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from datainf.core.errors import DataError, OptionError, near
from datainf.core.options import described, number, word
from datainf.core.task import Batch, Example, Part
from datainf.core.task_options import Measure, Weighting
from datainf.integrations.diffusion.captions import is_cut
from datainf.integrations.diffusion.denoising import denoising_of
from datainf.integrations.diffusion.families.table import family_of
from datainf.integrations.diffusion.kept import Kept
from datainf.integrations.diffusion.latents import fitted, latent_of
from datainf.integrations.diffusion.passes import Passes
from datainf.integrations.diffusion.pipelines import (
    pipeline_fingerprint,
    require_pipeline,
)
from datainf.integrations.diffusion.schedules import schedule_of
from datainf.integrations.fingerprint import hash_row
from datainf.integrations.tasks.images import (
    content_of,
    describe_image,
    name_of,
    open_image,
    thumbnail,
)
from datainf.integrations.tasks.tokens import require_column

_LATENTS = 2**30
"""Most bytes of latents that are kept, on the CPU: 16 384 of Stable Diffusion's."""
_PLACES = 4
"""Places of a latent that count as one token; it only sizes batches."""


@dataclass(frozen=True)
class TextToImage:
    """Images made from prompts by a diffusion or flow-matching model.

    Attributes:
        pipeline: The pipeline of diffusers that the adapter belongs to: its VAE, its
            scheduler and its tokenizers are used.
        image_column: Column with the image, in any form that `images` reads.
        text_column: Column with the caption.
        prompt: Caption of rows without one, as DreamBooth's training has it.
        resolution: Pixels a side after scaling and cutting out the middle, as in
            training; None keeps each image's own size.
        timesteps: Timesteps over which an example's loss is a mean.
        noises: Noises at each of them.
        noise_seed: Of all noise.
        weighting: How timesteps count.
        measure: Which number of the denoiser's outputs is differentiated.

    Examples:
        >>> task = TextToImage(pipe)                                # doctest: +SKIP
        >>> task.describe({"image": "cats/7.png", "text": "a cat"}) # doctest: +SKIP
        'cats/7.png, 512 × 512 → a cat'
    """

    name: ClassVar[str] = "text-to-image"
    task_type: ClassVar[None] = None
    model_class: ClassVar[str] = "DiffusionPipeline"
    main_input: ClassVar[str] = "latents"
    heads: ClassVar[tuple[str, ...]] = ()

    pipeline: Any
    image_column: str = described("image", "Column with the image.")
    text_column: str = described("text", "Column with the caption.")
    prompt: str | None = described(
        None, "Caption of rows without one, as DreamBooth's training has it."
    )
    resolution: int | None = described(
        None, "Pixels a side, as in training; each image's own size when left out."
    )
    timesteps: int = described(20, "Timesteps over which a loss is a mean.")
    noises: int = described(1, "Noises at each timestep.")
    noise_seed: int = described(0, "Seed of all noise, the same for every example.")
    weighting: Weighting | str = described(Weighting.UNIFORM, "How timesteps count.")
    measure: Measure | str = described(
        Measure.LOSS, "Which number of the denoiser's outputs is differentiated."
    )

    def __post_init__(self) -> None:
        """Check and settle the options.

        Raises:
            OptionError: If one is out of range, or does not fit the scheduler.
        """
        require_pipeline(self.pipeline)
        for name in ("timesteps", "noises", "noise_seed", "resolution"):
            value = getattr(self, name)
            if value is not None:
                least = 0 if name == "noise_seed" else 1
                number(value, f"task.{name}", least=least, whole=True)
        settled = {
            "weighting": word(Weighting, self.weighting, "task.weighting"),
            "measure": word(Measure, self.measure, "task.measure"),
        }
        for name, value in settled.items():
            object.__setattr__(self, name, value)
        known = self._passes.schedule.count
        if self.timesteps > known:
            raise OptionError(
                f"task.timesteps={self.timesteps}, and the scheduler knows {known}; "
                "raise task.noises instead."
            )
        self._passes.weights  # noqa: B018 - refuses a weighting of the other kind
        if self.resolution is not None and self.resolution % self._multiple:
            raise OptionError(
                f"task.resolution={self.resolution} must be a multiple of "
                f"{self._multiple} for this pipeline."
            )

    def for_columns(self, columns: Sequence[str]) -> "TextToImage":
        """Check that data with these columns can be read.

        Args:
            columns: The data's column names.

        Returns:
            The task.

        Raises:
            DataError: If the image column is not there, or neither captions nor a
                prompt for all.
        """
        if self.image_column not in columns:
            raise DataError(
                f"column {self.image_column!r} is missing: "
                f"{near(self.image_column, columns)}."
            )
        if self.text_column not in columns and self.prompt is None:
            raise DataError(
                f"column {self.text_column!r} is missing: "
                f"{near(self.text_column, columns)}; or give task.prompt, one caption "
                "for all images."
            )
        return replace(self)

    def collate(self, examples: Sequence[Example]) -> Batch:
        """Encode images, and number the passes.

        Args:
            examples: Rows.

        Returns:
            `latents [B, C, h, w]`, padded with zeros to the largest; `sizes [B, 2]`,
            the h and w of each; `prompts [B, _]`, UTF-8 padded with zeros; `passes
            [B, P]`.
        """
        latents = [self.latent(example) for example in examples]
        heights, widths = zip(*(latent.shape[1:] for latent in latents), strict=True)
        shape = (len(latents), len(latents[0]), max(heights), max(widths))
        padded = latents[0].new_zeros(shape)
        for row, latent in zip(padded, latents, strict=True):
            row[:, : latent.shape[1], : latent.shape[2]] = latent
        texts = [self.caption(example).encode() for example in examples]
        prompts = [torch.tensor(list(text), dtype=torch.uint8) for text in texts]
        return {
            "latents": padded,
            "sizes": torch.tensor([*zip(heights, widths, strict=True)]),
            "prompts": pad_sequence(prompts, batch_first=True),
            "passes": torch.arange(self._passes.count).repeat(len(examples), 1),
        }

    def parts(self, batch: Batch) -> Iterator[Part]:
        """Cut a batch into passes, and into images of one size.

        Args:
            batch: What `collate` made.

        Yields:
            Rows of one size, at one pass.
        """
        sizes = batch["sizes"]
        for size in torch.unique(sizes, dim=0):
            rows = (sizes == size).all(dim=1).nonzero().flatten()
            height, width = size.tolist()
            some = {key: value[rows] for key, value in batch.items()}
            for key in {"latents", "noise"} & some.keys():
                some[key] = some[key][:, :, :height, :width]
            for column in range(batch["passes"].shape[1]):
                passes = some["passes"][:, column : column + 1]
                yield Part(rows, {**some, "passes": passes})

    def drawn(self, batch: Batch) -> Batch:
        """Draw what a step of training draws: a timestep and a noise for each example.

        From torch's own generator; timesteps as often as `weighting` weighs them.

        Args:
            batch: What `collate` made.

        Returns:
            The batch with `steps [B]` and `noise [B, C, h, w]`, whose losses are those
            of this one pass.
        """
        latents = batch["latents"]
        steps = self._passes.drawn(len(latents))
        noise = torch.randn(latents.shape, dtype=torch.float32)
        return {
            **batch,
            "passes": batch["passes"][:, :1],
            "steps": steps.to(latents.device),
            "noise": noise.to(latents),
        }

    def losses(self, model: nn.Module, batch: Batch) -> Float[Tensor, " B"]:
        """Compute the loss of every example: the sum over its parts.

        Args:
            model: A `Denoising`, or a PEFT model around one.
            batch: What `collate` made, on the model's device, or a part of it.

        Returns:
            One number an example.
        """
        total = batch["latents"].new_zeros(len(batch["latents"]))
        for rows, part in self.parts(batch):
            found = self._pass(model, part)
            total = total.to(found.dtype).index_add(0, rows, found)
        return total

    def describe(self, example: Example) -> str:
        """Write `image, width × height → caption`."""
        image = require_column(example, self.image_column)
        shown = describe_image(image, self.image_column)
        return f"{shown} → {self.caption(example)}"

    def picture(self, example: Example) -> bytes:
        """Draw the example small, as a WebP file."""
        image = require_column(example, self.image_column)
        return thumbnail(open_image(image, self.image_column))

    def fitted(self, example: Example) -> Any:
        """Give the image as the model is shown it, before it is encoded.

        Args:
            example: The row.

        Returns:
            A PIL image in RGB, scaled to `resolution` and its middle cut out; where
            there is none, less what is over the last multiple of the latent's.
        """
        value = require_column(example, self.image_column)
        image = open_image(value, self.image_column)
        return fitted(image, self._multiple, self.resolution)

    def length(self, example: Example) -> int:
        """Count places of the latent by four, at least one; it only sizes batches."""
        image = self.fitted(example)
        places = (image.width // self._side) * (image.height // self._side)
        return max(1, places // _PLACES)

    def truncated(self, example: Example) -> bool:
        """Tell whether the end of the caption reaches no text encoder."""
        return is_cut(self.pipeline, self.caption(example))

    def resolved(self, example: Example) -> Mapping[str, Any]:
        """Put a file's bytes where the row names a file, for the row's hash.

        Args:
            example: The row.

        Returns:
            The row, standing for its image whatever happens to the file.
        """
        image = require_column(example, self.image_column)
        return {**example, self.image_column: content_of(image, self.image_column)}

    def settings(self) -> dict[str, Any]:
        """Give every choice that changes a loss, as JSON values."""
        chosen = {one.name: getattr(self, one.name) for one in fields(self)}
        words = {name: str(chosen[name]) for name in ("weighting", "measure")}
        known = pipeline_fingerprint(self.pipeline)
        return {"name": self.name, **chosen, **words, "pipeline": known}

    def caption(self, example: Example) -> str:
        """Give the caption of an example.

        Args:
            example: The row.

        Returns:
            Its own, or `prompt` where it has none.

        Raises:
            DataError: If it has none and there is no prompt for all, or it is no text.
        """
        given = example.get(self.text_column)
        caption = self.prompt if given is None else given
        if caption is None:
            shown = name_of(example.get(self.image_column)) or "an image"
            raise DataError(
                f"{shown} has no caption in column {self.text_column!r}; write one, or "
                "give task.prompt, one caption for all that have none."
            )
        if not isinstance(caption, str) or "\0" in caption:
            raise DataError(
                f"column {self.text_column!r} must hold a caption, got {caption!r:.80}."
            )
        return caption

    def latent(self, example: Example) -> Float[Tensor, "C h w"]:
        """Encode an example's image, or take it from those that were kept.

        Args:
            example: The row.

        Returns:
            Its latent, on the CPU.
        """
        value = require_column(example, self.image_column)
        key = hash_row({"image": content_of(value, self.image_column)})

        def compute() -> Mapping[str, Tensor]:
            return {"latent": latent_of(self.pipeline.vae, self.fitted(example))}

        return self._latents.get(key, compute)["latent"]

    @cached_property
    def _passes(self) -> Passes:
        return Passes(
            timesteps=self.timesteps,
            noises=self.noises,
            seed=self.noise_seed,
            weighting=Weighting(self.weighting),
            schedule=schedule_of(self.pipeline.scheduler),
        )

    @cached_property
    def _latents(self) -> Kept:
        return Kept(_LATENTS)

    @property
    def _side(self) -> int:
        """Pixels a side of one place of a latent."""
        return int(self.pipeline.vae_scale_factor)

    @cached_property
    def _multiple(self) -> int:
        """What height and width must be multiples of, in pixels."""
        family = family_of(self.pipeline)
        return self._side * family.multiple(getattr(self.pipeline, family.component))

    def _pass(self, model: nn.Module, part: Batch) -> Float[Tensor, " b"]:
        """Compute what one pass adds to the losses of rows of one size."""
        base = denoising_of(model)
        passes, latents = self._passes, part["latents"].to(base.dtype)
        if "steps" in part:
            noise, step, weight = part["noise"].to(latents), part["steps"], 1.0
        else:
            # The same pass for all rows: that is how parts are cut.
            number = int(part["passes"][0, 0])
            noise = passes.noise(number, tuple(latents.shape[1:]))
            noise = noise.to(latents).expand_as(latents)
            step = passes.steps[number].expand(len(latents)).to(latents.device)
            weight = float(passes.weights[number])
        pixels = (latents.shape[2] * self._side, latents.shape[3] * self._side)
        prompts = [
            bytes(row.tolist()).rstrip(b"\0").decode() for row in part["prompts"]
        ]
        said = base(
            passes.schedule.noisy(latents, noise, step),
            passes.schedule.told(step),
            base.encode(prompts, pixels),
        )
        wide = said.to(torch.promote_types(said.dtype, torch.float32)).flatten(1)
        if self.measure is Measure.AVERAGE:
            found = wide.mean(dim=1)
        elif self.measure is Measure.SQUARE:
            found = wide.square().mean(dim=1)
        else:
            target = passes.schedule.target(latents, noise, step).flatten(1)
            found = (wide - target.to(wide.dtype)).square().mean(dim=1)
        return found * weight
