"""`ekfac`: Eq. 2 with the curvature's eigenvectors taken from Kronecker factors.

    x = U_S [ (U_Sᵀ V U_A) / (Λ + λ) ] U_Aᵀ,   Λ = (1/N) Σᵢ (U_Sᵀ Gᵢ U_A)²

V and Gᵢ the gradients of the query and of curvature row i as matrices, U_A and U_S the
eigenvectors of the means of x xᵀ and δ δᵀ over all tokens (`core/factors.py`), squares
and division entry by entry (George et al., NeurIPS 2018, arXiv:1806.03884; for
influence Grosse et al., 2023, arXiv:2308.03296). Exact where the block's curvature G
has these eigenvectors: for a block whose tokens' x and δ are independent, with many
tokens an example; Λ is the best diagonal in this basis in any case. A tensor without
factors (a vector, a looped one) keeps its entries as the basis: the diagonal of G.
Where several tensors share a curvature group, each keeps its own basis and they share λ
alone.

λ is that of every method, damping × mean squared entry, which is damping × mean of Λ:
the 0.1 × mean eigenvalue that is customary for this method is the default here.

Costs O(N d (o + i) + o³ + i³ + NQd) a block of d = o·i and two readings: one for Λ, one
for the residual, which gives the scores too when curvature rows and candidates are the
same. Memory O(d + o² + i² + Qd + QN). N examples, Q queries.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from datainf.core.errors import OptionError
from datainf.core.factors import Factors
from datainf.core.source import GradientSource
from datainf.estimators.base import Estimator, State
from datainf.estimators.problem import Solution, Solver
from datainf.estimators.stream import GroupRows
from datainf.linalg.gram import apply_curvature
from datainf.linalg.kronecker import (
    KroneckerBasis,
    SideBySide,
    eigenvectors,
    mean_squares,
)


@dataclass(frozen=True, kw_only=True)
class EKFAC(Estimator):
    """The damped inverse in the eigenbasis of Kronecker factors."""

    name: ClassVar[str] = "ekfac"
    needs_factors: ClassVar[bool] = True

    def fit(self, curvature: GradientSource) -> State:
        """Look at the curvature rows, which must have factors.

        Args:
            curvature: As for every method.

        Returns:
            The state.
        """
        _factors(curvature, curvature.layout.names[0])
        return super().fit(curvature)

    def prepare(self, rows: GroupRows, damping: float) -> Solver:
        """Find the eigenbasis of one block and its eigenvalues.

        Args:
            rows: Curvature rows; read once, and once a solution.
            damping: λ.

        Returns:
            Solves for any query gradients.
        """
        sizes = rows.source.layout.sizes
        found = [(name, _basis(rows, name)) for name in rows.members]
        basis = SideBySide([(sizes[name], each) for name, each in found])
        facts = {name: 1.0 for name, each in found if each is None}
        squares = mean_squares(rows, basis, count=rows.count, size=rows.size)
        weights = 1 / (squares + damping)

        def solve(v: Float[Tensor, "Q d"]) -> Solution:
            x = basis.combined(basis.coordinates(v) * weights.to(v))
            y, products = apply_curvature(rows, x, count=rows.count)
            return Solution(x, y.add_(x, alpha=damping), products, facts)

        return solve

    def notes(self, facts: Mapping[str, Mapping[str, float]]) -> tuple[str, ...]:
        """Name the tensors that have no factors."""
        plain = [name for found in facts.values() for name in found]
        if not plain:
            return ()
        shown = ", ".join(plain[:5]) + (", ..." if len(plain) > 5 else "")
        return (
            f"{len(plain)} tensors have no Kronecker factors, so the diagonal of the "
            f"curvature stands for them: {shown}.",
        )


def _basis(rows: GroupRows, block: str) -> KroneckerBasis | None:
    """Give the eigenbasis of a block; None where it has no factors."""
    found = _factors(rows.source, block)
    if found.inputs is None or found.outputs is None:
        return None
    sides, size = (
        (len(found.outputs), len(found.inputs)),
        rows.source.layout.sizes[block],
    )
    if sides[0] * sides[1] != size:
        raise OptionError(
            f"the factors of block {block} belong to a {sides[0]}×{sides[1]} matrix, "
            f"the block has {size} parameters; give the factors of these rows."
        )
    left, right = (
        eigenvectors(each.to(rows.device)).to(rows.dtype)
        for each in (found.outputs, found.inputs)
    )
    return KroneckerBasis(left, right)


def _factors(source: GradientSource, block: str) -> Factors:
    """Ask the curvature rows for the factors of a block.

    Args:
        source: The rows.
        block: The block.

    Returns:
        The factors.

    Raises:
        OptionError: If none were gathered.
    """
    ask = getattr(source, "factors", None)
    found = ask(block) if callable(ask) else None
    if found is None:
        raise OptionError(
            "ekfac needs Kronecker factors, and the curvature rows have none: gather "
            "them with collect(factors=True) (datainf collect --factors), which only "
            "adds them to a store that is there; attribute and mislabeled do so by "
            "themselves."
        )
    return found
