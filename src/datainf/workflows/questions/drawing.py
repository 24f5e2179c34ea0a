"""A picture and its prompt; left out, the adapter draws the picture, from a seed."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datainf.core.questions import Entry, Field, Said
from datainf.integrations.tasks.images import open_image
from datainf.integrations.tasks.text_to_image import TextToImage
from datainf.workflows.drawn_queries import SEED, drawn_queries
from datainf.workflows.questions.base import Posed, Question


@dataclass(frozen=True)
class DrawingQuestion(Question):
    """A prompt, and the picture that is made of it."""

    task: TextToImage

    @property
    def fields(self) -> tuple[Field, ...]:
        """Prompt, seed, and a picture where there is one already."""
        return (
            Field("prompt", "Prompt", needed=True, value=self.task.prompt),
            Field(
                "seed", "Seed", Entry.WHOLE, "Another one, another picture.", value=0
            ),
            Field(
                "image",
                "Picture",
                Entry.PICTURE,
                "Left empty, the adapter draws it: seconds on a GPU, minutes without.",
            ),
        )

    def posed(self, given: Mapping[str, Any], folder: Path) -> Posed:
        """Take the picture, or draw it; what was drawn once is not drawn again."""
        row: dict[str, Any] = {self.task.text_column: given["prompt"]}
        column = self.task.image_column
        if "image" in given:
            return Posed({**row, column: given["image"]})
        seed = int(given.get("seed", 0))
        asked = [{**row, SEED: seed}]
        (drawn,) = drawn_queries(self.model, self.task, asked, folder)
        # By its pixels, and not by a place that is gone when the run is closed.
        picture = open_image(drawn[column], column)
        return Posed({**row, column: picture}, Said("The adapter drew", f"seed {seed}"))
