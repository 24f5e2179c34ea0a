"""A bounded memory of what is dear to compute: latents and prompt encodings."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping

from torch import Tensor

Tensors = Mapping[str, Tensor]


class Kept:
    """Tensors by key; the least recently used go when there are too many bytes."""

    def __init__(self, limit: int) -> None:
        """Begin empty.

        Args:
            limit: Most bytes.
        """
        self._limit = limit
        self._size = 0
        self._held: OrderedDict[Hashable, Tensors] = OrderedDict()

    def get(self, key: Hashable, compute: Callable[[], Tensors]) -> Tensors:
        """Give what belongs to a key, computing it where it is not there.

        Args:
            key: Must say everything that the tensors depend on.
            compute: Makes them.

        Returns:
            Name -> tensor, the very ones that were kept.
        """
        if key in self._held:
            self._held.move_to_end(key)
            return self._held[key]
        found = self._held[key] = compute()
        self._size += _bytes(found)
        while self._size > self._limit and len(self._held) > 1:
            _, oldest = self._held.popitem(last=False)
            self._size -= _bytes(oldest)
        return found

    def __deepcopy__(self, memo: object) -> "Kept":
        """Copy the limit alone: a copied model may become another one."""
        return Kept(self._limit)


def _bytes(tensors: Tensors) -> int:
    return sum(tensor.nbytes for tensor in tensors.values())
