"""Recipe: how an adapter is trained, fixed once and used by every retraining.

One value for `train`, LDS, leave-one-out, pruning and cleaning; the `recipe:` of
run.yaml.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from datainf.core.canonical import sha256_of
from datainf.core.errors import OptionError, near
from datainf.core.options import number


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How an adapter is trained.

    Attributes:
        peft: Arguments of the PEFT config, with `peft_type` ("LORA" when not given).
        training: Arguments of `transformers.TrainingArguments`, by their own names,
            less `output_dir` and `seed`.
        seed: Seeds initialisation, batch order and dropout.

    Examples:
        >>> recipe = Recipe(peft={"r": 4}, training={"num_train_epochs": 3})
        >>> Recipe.from_dict(recipe.to_dict()) == recipe
        True
    """

    peft: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse a seed out of range, and what the recipe sets itself.

        Raises:
            OptionError: If `training` holds `output_dir` or `seed`.
        """
        seed = number(self.seed, "recipe.seed", least=0, below=2**32, whole=True)
        object.__setattr__(self, "seed", seed)
        for name in ("output_dir", "seed"):
            if name in self.training:
                raise OptionError(
                    f"recipe.training must not hold {name!r}: "
                    + (
                        "use recipe.seed."
                        if name == "seed"
                        else "each run sets its own."
                    )
                )

    @property
    def fingerprint(self) -> str:
        """Hash of all values: equal recipes, equal hash."""
        return sha256_of(self.to_dict())

    def keeping_nothing(self) -> "Recipe":
        """Give the same training without its checkpoints.

        Returns:
            The recipe less what says which checkpoints are kept, which changes nothing
            about what is trained.
        """
        training = {
            name: value
            for name, value in self.training.items()
            if not name.startswith("save_")
        }
        return replace(self, training=training)

    def to_dict(self) -> dict[str, Any]:
        """Write the recipe as JSON values."""
        return {
            "peft": dict(self.peft),
            "training": dict(self.training),
            "seed": self.seed,
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> "Recipe":
        """Read a recipe.

        Args:
            value: Mapping with any of the recipe's keys.

        Returns:
            The recipe.

        Raises:
            OptionError: If there is an unknown key.
        """
        known = [f.name for f in fields(cls)]
        for key in value:
            if key not in known:
                raise OptionError(f"recipe.{key} is unknown: {near(key, known)}.")
        return cls(**value)
