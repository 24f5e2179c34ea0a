"""The damping λ of one curvature block, from squared lengths alone.

    λ_l = damping × (N d_l)⁻¹ Σᵢ ‖g_li‖²

that is, damping × the mean squared entry of the block's gradients (Kwon et al., ICLR
2024, arXiv:2310.00902, section 5, where damping is 0.1). N training examples, d_l
parameters, counted before any projection: it keeps ‖g_li‖ on average, so that λ stays.
"""


def block_damping(total: float, *, rows: int, size: int, damping: float) -> float:
    """Compute λ of one block.

    Args:
        total: Sum of the rows' squared lengths in this block, Σᵢ ‖g_li‖².
        rows: Number of rows, N.
        size: Number of parameters of the block, d_l.
        damping: Multiple of the mean squared entry.

    Returns:
        λ in squared-gradient units; 0 when every gradient is zero.

    Examples:
        >>> block_damping(60.0, rows=3, size=2, damping=0.1)
        1.0
    """
    return damping * total / (rows * size)
