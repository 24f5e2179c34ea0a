"""What gradients were made from, and what differs between two such descriptions.

A store carries the identity of its base model, adapter, task and data; anything that
would mix gradients of different origin is refused with the parts that differ.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from datainf.core.canonical import sha256_of
from datainf.core.side_projection import SideProjection, said

OUTPUT = "output"
"""Among a task's settings: what is differentiated, where that is not the loss."""
PROJECTION = "projection"
"""Among them: how gradients are projected, where they are."""


@dataclass(frozen=True)
class Identity:
    """Fingerprints of everything a gradient depends on.

    Attributes:
        base: Hash of the base model: config, tensor names, shapes, dtypes and a seeded
            sample of each tensor.
        adapter: Hash of the adapter: every trained tensor, whole, its scaling, and the
            choices of its config that no tensor shows.
        task: The task's settings, readable, compared one by one.
        data: Hash over the hashes of the rows, in order.
        about: Names for people (paths, adapter name); never compared.
    """

    base: str
    adapter: str
    task: Mapping[str, Any]
    data: str
    about: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def model(self) -> str:
        """Hash of base, adapter and task: equal where stores may be scored together."""
        return sha256_of([self.base, self.adapter, dict(self.task)])

    @property
    def output(self) -> Mapping[str, Any]:
        """What is differentiated, by `name`: loss, margin or sampled, and its settings.

        A task's own setting of that name, which is no such description, does not count.
        """
        found = self.task.get(OUTPUT)
        known = isinstance(found, Mapping) and "name" in found
        return found if known and isinstance(found, Mapping) else {"name": "loss"}

    @property
    def projection(self) -> Mapping[str, Any] | None:
        """How gradients are projected, by `kind`; None where they are whole.

        A task's own setting of that name, which is no such description, does not count.
        """
        found = self.task.get(PROJECTION)
        return found if isinstance(found, Mapping) and "kind" in found else None

    def projected(self, projection: SideProjection | None) -> "Identity":
        """The same, of projected gradients."""
        if projection is None:
            return self
        return replace(self, task={**self.task, PROJECTION: projection.to_dict()})

    @property
    def of_the_loss(self) -> "Identity":
        """The same model, adapter, task and data, were the loss differentiated."""
        if self.output["name"] == "loss":
            return self
        rest = {key: value for key, value in self.task.items() if key != OUTPUT}
        return replace(self, task=rest)

    def differences(self, other: "Identity", *, data: bool = True) -> list[str]:
        """Say in words where two identities part.

        Args:
            other: The identity to compare with.
            data: Whether the data must be the same too.

        Returns:
            One phrase a difference; empty when there is none.

        Examples:
            >>> a = Identity("b1", "a1", {"max_length": 128}, "d")
            >>> b = Identity("b1", "a2", {"max_length": 64}, "d")
            >>> a.differences(b)
            ['another adapter', 'task max_length: 128 against 64']
        """
        found = []
        if self.base != other.base:
            found.append("another base model")
        if self.adapter != other.adapter:
            found.append("another adapter")
        # Two tasks share few settings: where their names differ, that says it.
        same = self.task.get("name") == other.task.get("name")
        mine, theirs = self.of_the_loss.task, other.of_the_loss.task
        projected = self.projection or other.projection
        skipped = {PROJECTION} if projected else set()
        for key in sorted({*mine, *theirs} - skipped) if same else ["name"]:
            if mine.get(key) != theirs.get(key):
                found.append(
                    f"task {key}: {mine.get(key)!r} against {theirs.get(key)!r}"
                )
        if self.projection != other.projection:
            found.append(
                f"projection: {said(self.projection)} against {said(other.projection)}"
            )
        mine, theirs = self.output, other.output
        alike = mine["name"] == theirs["name"]
        for key in sorted({*mine, *theirs}) if alike else ["name"]:
            if mine.get(key) != theirs.get(key):
                what = OUTPUT if key == "name" else key
                found.append(f"{what}: {mine.get(key)} against {theirs.get(key)}")
        if data and self.data != other.data:
            found.append("other data")
        return found

    def to_dict(self) -> dict[str, Any]:
        """Write the identity as JSON values."""
        return {
            "base": self.base,
            "adapter": self.adapter,
            "task": dict(self.task),
            "data": self.data,
            "about": dict(self.about),
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> "Identity":
        """Read what `to_dict` wrote."""
        return cls(**{key: value[key] for key in ("base", "adapter", "task", "data")},
                   about=value.get("about", {}))  # fmt: skip


def identity_of(source: object) -> Identity | None:
    """Give the identity that a source of gradients carries.

    Args:
        source: A store, or rows made of one.

    Returns:
        The identity; None for plain tensors.
    """
    found = getattr(source, "identity", None)
    return found if isinstance(found, Identity) else None
