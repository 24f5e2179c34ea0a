"""The slow twins of the solvers: loops over examples, explicit inverses, float64.

Nothing here is shared with the package, so that a mistake there is no mistake here:
groups are given by hand, λ is the mean over every entry, every inverse is formed.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

Gradients = Mapping[str, Tensor]
# Block name -> (mean of x xᵀ, mean of δ δᵀ).
FactorPairs = Mapping[str, tuple[Tensor, Tensor]]


def side_by_side(gradients: Gradients, names: Sequence[str]) -> Tensor:
    """The named blocks as one float64 matrix."""
    return torch.cat([gradients[name].double() for name in names], dim=1)


def unit_rows(gradients: Gradients) -> dict[str, Tensor]:
    """Every row divided by its length over all blocks; zero rows stay zero."""
    scaled = {name: tensor.double().clone() for name, tensor in gradients.items()}
    for i in range(len(next(iter(scaled.values())))):
        length = sum(float((t[i] ** 2).sum()) for t in scaled.values()) ** 0.5
        for tensor in scaled.values():
            if length > 0:
                tensor[i] /= length
    return scaled


def unit_blocks(gradients: Gradients) -> dict[str, Tensor]:
    """Every row of every block divided by its own length; zero rows stay zero."""
    scaled = {name: tensor.double().clone() for name, tensor in gradients.items()}
    for tensor in scaled.values():
        for i, row in enumerate(tensor):
            if row.any():
                tensor[i] /= float((row**2).sum()) ** 0.5
    return scaled


def scaled_rows(gradients: Gradients, normalize: str) -> Gradients:
    """Training rows as `normalize` wants them."""
    match normalize:
        case "example":
            return unit_rows(gradients)
        case "block":
            return unit_blocks(gradients)
    return gradients


def mean_square_damping(g: Tensor, damping: float) -> float:
    """λ, by one look at every entry."""
    entries = [float(entry) ** 2 for row in g for entry in row]
    return damping * sum(entries) / len(entries)


def mean_outer(g: Tensor) -> Tensor:
    """(1/N) Σ gᵢgᵢᵀ, one example at a time."""
    total = torch.zeros(g.shape[1], g.shape[1], dtype=torch.float64)
    for row in g:
        total += torch.outer(row, row)
    return total / len(g)


def damped_inverse(g: Tensor, lam: float) -> Tensor:
    """((1/N) Σ gᵢgᵢᵀ + λI)⁻¹."""
    return torch.linalg.inv(mean_outer(g) + lam * torch.eye(g.shape[1]).double())


def mean_of_inverses(g: Tensor, lam: float) -> Tensor:
    """(1/N) Σ (gᵢgᵢᵀ + λI)⁻¹, each inverse formed."""
    eye = torch.eye(g.shape[1], dtype=torch.float64)
    inverses = [torch.linalg.inv(torch.outer(row, row) + lam * eye) for row in g]
    return torch.stack(inverses).mean(dim=0)


def neumann_matrix(g: Tensor, lam: float, scale: float, steps: int) -> Tensor:
    """(1/s) Σ_{j ≤ steps} (I − (H + λI)/s)ʲ, term by term."""
    eye = torch.eye(g.shape[1], dtype=torch.float64)
    shrink = eye - (mean_outer(g) + lam * eye) / scale
    term, total = eye, eye.clone()
    for _ in range(steps):
        term = term @ shrink
        total += term
    return total / scale


def kronecker_basis(sizes: Mapping[str, int], factors: FactorPairs | None) -> Tensor:
    """Eigenvectors of S ⊗ A of each block on the diagonal, each product formed.

    The identity for a block without factors.
    """
    parts = []
    for name, size in sizes.items():
        part = torch.eye(size, dtype=torch.float64)
        if factors and name in factors:
            # Of each factor: in an eigenspace of the product several bases would do.
            inputs, outputs = (torch.linalg.eigh(f.double()) for f in factors[name])
            part = torch.kron(outputs.eigenvectors, inputs.eigenvectors)
        parts.append(part)
    return torch.block_diag(*parts)


def diagonal_in_basis(g: Tensor, lam: float, basis: Tensor) -> Tensor:
    """U (diag(Uᵀ H U) + λI)⁻¹ Uᵀ, every matrix formed."""
    diagonal = torch.diag(basis.T @ mean_outer(g) @ basis)
    return basis @ torch.diag(1 / (diagonal + lam)) @ basis.T


def preconditioner(
    method: str, g: Tensor, lam: float, basis: Tensor | None = None
) -> Tensor:
    """The matrix P of one group whose influence is −vᵀ P g_k."""
    eye = torch.eye(g.shape[1], dtype=torch.float64)
    match method:
        case "dot" | "cosine" | "tracin":
            return eye
        case "scaled-dot":
            return eye / lam
        case "datainf":
            return mean_of_inverses(g, lam)
        case "exact" | "cg" | "lissa" | "auto":
            return damped_inverse(g, lam)
        case "ekfac":
            assert basis is not None
            return diagonal_in_basis(g, lam, basis)
    raise KeyError(method)


def influence_by_inverse(
    method: str,
    train: Gradients,
    queries: Gradients,
    *,
    groups: Sequence[Sequence[str]],
    damping: float = 0.1,
    normalize: str = "none",
    curvature: Gradients | None = None,
    factors: FactorPairs | None = None,
) -> Tensor:
    """−Σ over groups of vᵀ P g_k, pair by pair: `[Q, N]`."""
    curvature = train if curvature is None else curvature
    if method == "cosine":
        normalize, queries = "example", unit_rows(queries)
    train, curvature = (scaled_rows(rows, normalize) for rows in (train, curvature))
    total: Tensor | float = 0.0
    for names in groups:
        g = side_by_side(curvature, names)
        basis = kronecker_basis({n: curvature[n].shape[1] for n in names}, factors)
        p = preconditioner(method, g, mean_square_damping(g, damping), basis)
        rows = []
        for v in side_by_side(queries, names):
            rows.append([-float(v @ p @ g_k) for g_k in side_by_side(train, names)])
        total = total + torch.tensor(rows, dtype=torch.float64)
    assert isinstance(total, Tensor)
    return total


def own_influence_by_inverse(
    method: str,
    train: Gradients,
    *,
    groups: Sequence[Sequence[str]],
    damping: float = 0.1,
    normalize: str = "none",
    curvature: Gradients | None = None,
    factors: FactorPairs | None = None,
) -> Tensor:
    """Σ over groups of g_kᵀ P g_k, row by row: `[N]`."""
    rows = scaled_rows(train, normalize)
    pairs = influence_by_inverse(
        method,
        train,
        rows,
        groups=groups,
        damping=damping,
        normalize=normalize,
        curvature=curvature,
        factors=factors,
    )
    return -pairs.diagonal()


def least_residual(matrix: Tensor, x: Tensor, v: Tensor) -> tuple[float, float]:
    """Give min over c of ‖c A x − v‖ / ‖v‖ and that c, by least squares."""
    y = matrix @ x
    c = torch.linalg.lstsq(y[:, None], v[:, None]).solution[0, 0]
    return float((c * y - v).norm() / v.norm()), float(c)


def adam_steps(gradients: Gradients, moments: Any) -> dict[str, Tensor]:
    """The step that `torch.optim.AdamW` takes on each row alone, for a rate of −1."""
    found = {}
    for name, rows in gradients.items():
        made = []
        for g in rows.double():
            parameter = torch.zeros_like(g, requires_grad=True)
            optimizer = torch.optim.AdamW(
                [parameter],
                lr=1.0,
                betas=moments.betas,
                eps=moments.eps,
                weight_decay=0.0,
            )
            optimizer.state[parameter] = {
                "step": torch.tensor(float(moments.steps[name])),
                "exp_avg": moments.first[name].double().clone(),
                "exp_avg_sq": moments.second[name].double().clone(),
            }
            parameter.grad = g.clone()
            optimizer.step()
            made.append(-parameter.detach())
        found[name] = torch.stack(made)
    return found
