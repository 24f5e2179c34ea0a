"""Random projection of gradient rows to k numbers that keeps their inner products.

    φ(g) = k^(−1/2) Σ_l g_l S_l,   S_l of shape d_l × k with independent signs ±1

(Johnson and Lindenstrauss, 1984; with signs: Achlioptas, JCSS 2003.) E[φ(g)·φ(v)] = g·v
exactly, with variance (‖g‖²‖v‖² + (g·v)² − 2 Σ_j g_j² v_j²) / k: an error of about
‖g‖‖v‖ / √k whatever the number of parameters is.

The signs follow from the seed, the block's name and the column alone, so rows that are
projected apart fit together, and portions do not matter. They are made a slab of
columns at a time and never kept: O(NDk) time, D k random bits once, and memory of the
`[N, k]` result and one slab. N rows, D = Σ d_l parameters, k numbers of a projected
row.
"""

import hashlib
import math
from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

# Columns of a block whose signs come from one generator. Part of what a seed means:
# another number would give other signs.
SLAB = 256


def sign_slabs(
    block: str,
    *,
    size: int,
    width: int,
    seed: int,
    like: Tensor,
) -> Iterator[tuple[slice, Float[Tensor, "_ k"]]]:
    """Go through a block's signs, a slab of its columns at a time.

    Args:
        block: The block's name.
        size: Its parameters, d.
        width: Numbers of a projected row, k.
        seed: Chooses the signs.
        like: A tensor whose dtype and device the signs take.

    Yields:
        Which columns, and their signs over √k, `[columns, k]`.
    """
    for number, left in enumerate(range(0, size, SLAB)):
        columns = slice(left, min(left + SLAB, size))
        rows = columns.stop - columns.start
        name = hashlib.sha256(f"{seed} {number} {block}".encode()).digest()
        chance = np.random.PCG64(int.from_bytes(name[:16], "little"))
        words = chance.random_raw(math.ceil(SLAB * width / 64))
        # Little-endian words, so that every machine reads the same bits.
        bits = np.unpackbits(words.astype("<u8").view(np.uint8), count=rows * width)
        signs = torch.from_numpy(bits).to(like.device, like.dtype)
        yield columns, signs.mul_(2).sub_(1).div_(math.sqrt(width)).view(rows, width)
        del signs


def add_projection(
    into: Float[Tensor, "n k"],
    rows: Float[Tensor, "n _"],
    signs: Float[Tensor, "_ k"],
) -> None:
    """Add the projection of some columns of rows to what other columns gave.

    Args:
        into: The projected rows so far, changed in place.
        rows: These columns of the rows.
        signs: The columns' signs, as `sign_slabs` gives them.
    """
    into.addmm_(rows.to(into), signs)
