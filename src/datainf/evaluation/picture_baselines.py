"""Baselines of pictures: what influence has to beat, by pixels alone.

Q queries, N training pictures, each an array [H, W, 3] of whole numbers 0 to 255. Both
have the sign of scores: similar = negative. Pictures of other sizes are brought to one
by whoever opens them.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8

from datainf.core.errors import DataError

Pixels = Sequence[UInt8[np.ndarray, "_ _ 3"]]

_LEVELS = 8
"""Parts of a colour's range."""
_OTHER_SIZES = DataError(
    "pictures of several sizes cannot be compared by their pixels; bring them to one "
    "size first."
)


def pixel_scores(train: Pixels, queries: Pixels) -> Float[np.ndarray, "Q N"]:
    """Compare pictures place by place.

    Args:
        train: N pictures of one size.
        queries: Q pictures of the same.

    Returns:
        Minus the cosine of the pictures less the mean of the training pictures, in
        [-1, 1]: a picture in the same colours at the same places is most negative.

    Examples:
        >>> dark, light = np.zeros((1, 1, 3), "uint8"), np.full((1, 1, 3), 9, "uint8")
        >>> pixel_scores([dark, light], [light]).round(2).tolist()
        [[1.0, -1.0]]
    """
    known, asked = (
        _stacked(x, "pixel").reshape(len(x), -1).astype(float) for x in (train, queries)
    )
    if known.shape[1] != asked.shape[1]:
        raise _OTHER_SIZES
    mean = known.mean(axis=0)
    units = []
    for centred in (asked - mean, known - mean):
        length = np.linalg.norm(centred, axis=1, keepdims=True)
        units.append(np.divide(centred, length, where=length > 0, out=centred))
    return -(units[0] @ units[1].T)


def histogram_scores(train: Pixels, queries: Pixels) -> Float[np.ndarray, "Q N"]:
    """Compare how much there is of each colour, wherever it is.

    The intersection of histograms (Swain and Ballard 1991), of 8 levels a channel.

    Args:
        train: N pictures.
        queries: Q pictures.

    Returns:
        Minus the share of the places that two pictures have in common, in [-1, 0].

    Raises:
        DataError: If there are none, or their sizes differ.

    Examples:
        >>> dark, light = np.zeros((1, 2, 3), "uint8"), np.full((1, 2, 3), 255, "uint8")
        >>> half = np.concatenate([dark[:, :1], light[:, :1]], axis=1)
        >>> histogram_scores([dark, half], [light]).tolist()
        [[-0.0, -0.5]]
    """
    known, asked = (
        np.stack([_histogram(one) for one in x])
        for x in (_stacked(train, "colour"), _stacked(queries, "colour"))
    )
    return np.stack([-np.minimum(known, one).sum(axis=1) for one in asked])


def _histogram(picture: UInt8[np.ndarray, "H W 3"]) -> Float[np.ndarray, " C"]:
    levels = picture.astype(int) * _LEVELS // 256
    colour = (levels[..., 0] * _LEVELS + levels[..., 1]) * _LEVELS + levels[..., 2]
    counts = np.bincount(colour.reshape(-1), minlength=_LEVELS**3)
    return counts / counts.sum()


def _stacked(pictures: Pixels, name: str) -> UInt8[np.ndarray, "B H W 3"]:
    """Bring pictures into one array, or refuse."""
    if not len(pictures):
        raise DataError(f"{name} baseline: there are no pictures.")
    if len({one.shape for one in pictures}) > 1:
        raise _OTHER_SIZES
    return np.stack(list(pictures))
