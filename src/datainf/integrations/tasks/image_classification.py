"""ImageClassification: an image, one label out of C classes; ViT and its kin.

    loss = -log softmax(logits)[label]        one number an example

computed in float32, or float64 when the logits are: the model's own loss for a batch of
one. Images are brought to RGB and then through the image processor alone, with no
augmentation: what is attributed is the example, not one random view of it. PEFT has no
task type for images, so adapters must have none; the head is trained and saved by name
(`modules_to_save`). B examples of one batch, C classes, H × W pixels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers import ImageProcessingMixin

from datainf.core.errors import AdapterError, DataError, OptionError, near
from datainf.core.options import described
from datainf.core.task import Batch, Example
from datainf.integrations.tasks.images import (
    content_of,
    describe_image,
    open_image,
    processor_fingerprint,
    thumbnail,
)
from datainf.integrations.tasks.labels import Classes, require_known_classes
from datainf.integrations.tasks.predictions import Categorical
from datainf.integrations.tasks.problems import Problem
from datainf.integrations.tasks.tokens import require_column

# Pixels along the side of a patch, as ViT has them. It only sizes batches, so another
# model's patches need not be known.
_PATCH = 16


@dataclass(frozen=True)
class ImageClassification:
    """Single-label classification of images.

    Attributes:
        processor: The image processor the adapter was trained with.
        image_column: Column with the image, in any form that `images` reads.
        label_column: Column with the label: a class number, or a name out of `labels`.
        labels: Class names in the order of the class numbers, when rows hold names.
        num_labels: C, to refuse a label outside of it before the model runs; known from
            `labels` when they are given.

    Examples:
        >>> task = ImageClassification(processor)                # doctest: +SKIP
        >>> task.describe({"image": "cats/7.png", "label": 1})   # doctest: +SKIP
        'cats/7.png, 640 × 480 → 1'
    """

    name: ClassVar[str] = "image-classification"
    task_type: ClassVar[None] = None
    model_class: ClassVar[str] = "AutoModelForImageClassification"
    main_input: ClassVar[str] = "pixel_values"
    heads: ClassVar[tuple[str, ...]] = ("classifier",)

    processor: Any
    image_column: str = described("image", "Column with the image.")
    label_column: str = described("label", "Column with the class number or name.")
    labels: Sequence[str] | None = described(
        None, "Class names in the order of the class numbers, when rows hold names."
    )
    num_labels: int | None = described(
        None, "Number of classes; known from the labels' names when they are given."
    )

    def __post_init__(self) -> None:
        """Check and settle the options.

        Raises:
            OptionError: If the processor is none for images.
        """
        if not isinstance(self.processor, ImageProcessingMixin):
            raise OptionError(
                "image-classification needs an image processor of transformers, got a "
                f"{type(self.processor).__name__}; AutoImageProcessor loads one."
            )
        classes = Classes.of(self.labels, self.num_labels)
        object.__setattr__(self, "labels", classes.names)
        object.__setattr__(self, "num_labels", classes.count)

    def for_columns(self, columns: Sequence[str]) -> "ImageClassification":
        """Check that data with these columns can be read.

        Args:
            columns: The data's column names.

        Returns:
            The task.

        Raises:
            DataError: If the image or label column is not there.
        """
        for column in (self.image_column, self.label_column):
            if column not in columns:
                raise DataError(
                    f"column {column!r} is missing: {near(column, columns)}."
                )
        return replace(self)

    def collate(self, examples: Sequence[Example]) -> Batch:
        """Process images, with their class numbers as `labels`.

        Args:
            examples: Rows.

        Returns:
            `pixel_values [B, C, H, W]` and `labels [B]`.

        Raises:
            DataError: If the processor leaves the images at different sizes.
        """
        labels = [self.label_of(example) for example in examples]
        pixels = [self._pixels(example) for example in examples]
        sizes = list(dict.fromkeys(tuple(image.shape) for image in pixels))
        if len(sizes) > 1:
            raise DataError(
                "the image processor leaves images at different sizes: "
                f"{' and '.join(str(list(size)) for size in sizes[:2])}; use one that "
                "resizes (do_resize) to a height and width, as in training."
            )
        return {
            "pixel_values": torch.stack(pixels),
            "labels": torch.tensor(labels, dtype=torch.long),
        }

    def losses(self, model: nn.Module, batch: Batch) -> Float[Tensor, " B"]:
        """Compute the cross entropy of every example."""
        return self.predictions(model, batch).losses()

    def predictions(self, model: nn.Module, batch: Batch) -> Categorical:
        """Run the model: what it says of every example's class.

        Args:
            model: Gives `logits [B, C]`.
            batch: What `collate` made, on the model's device.

        Returns:
            A distribution over the classes for each example.

        Raises:
            AdapterError: If the model refuses the images, or does not give one row of
                logits an example.
        """
        self.require_model(model)
        pixels, labels = batch["pixel_values"], batch["labels"]
        dtype = getattr(model, "dtype", None)
        if isinstance(dtype, torch.dtype) and dtype.is_floating_point:
            pixels = pixels.to(dtype)
        try:
            logits = model(pixel_values=pixels).logits
        except ValueError as error:
            raise AdapterError(
                f"the model refuses images of {list(pixels.shape[1:])}: {error} Use "
                "the image processor of training."
            ) from error
        if logits.ndim != 2 or logits.shape[1] < 2:
            raise AdapterError(
                "image-classification needs logits [B, C] of at least 2 classes, the "
                f"model gives {list(logits.shape)}; is it an image classifier?"
            )
        require_known_classes(int(labels.max()), logits.shape[1])
        return Categorical.of_examples(logits, labels)

    def require_model(self, model: nn.Module) -> None:
        """Refuse a model whose configuration says that it predicts something else.

        Args:
            model: The model.

        Raises:
            AdapterError: If it does.
        """
        config = getattr(model, "config", None)
        problem = getattr(config, "problem_type", None)
        if problem not in (None, Problem.SINGLE):
            raise AdapterError(
                f"model.config.problem_type is {problem!r}, image-classification "
                "learns one class an image; give a loss of your own."
            )

    def describe(self, example: Example) -> str:
        """Write `image, width × height → label`."""
        image = require_column(example, self.image_column)
        label = self._classes.name(self.label_of(example))
        return f"{describe_image(image, self.image_column)} → {label}"

    def picture(self, example: Example) -> bytes:
        """Draw the example small, as a WebP file."""
        image = require_column(example, self.image_column)
        return thumbnail(open_image(image, self.image_column))

    def length(self, example: Example) -> int:
        """Count patches of 16 × 16 pixels, at least one; it only sizes batches."""
        height, width = self._pixels(example).shape[-2:]
        return max(1, height // _PATCH) * max(1, width // _PATCH)

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
        return {
            "name": self.name,
            "image_column": self.image_column,
            "label_column": self.label_column,
            "labels": None if self.labels is None else list(self.labels),
            "num_labels": self.num_labels,
            "processor": processor_fingerprint(self.processor),
        }

    def label_of(self, example: Example) -> int:
        """Give the class number of an example.

        Args:
            example: The row.

        Returns:
            A number from 0, below `num_labels` where that is known.
        """
        given = require_column(example, self.label_column)
        return self._classes.number(given, example)

    @property
    def _classes(self) -> Classes:
        return Classes.of(self.labels, self.num_labels)

    def _pixels(self, example: Example) -> Float[Tensor, "C H W"]:
        value = require_column(example, self.image_column)
        image = open_image(value, self.image_column)
        made = self.processor(images=image, return_tensors="np")["pixel_values"]
        return torch.as_tensor(made[0])
