"""The table of methods: public name -> estimator, and what helps to choose one.

A new method is one file and one line here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import pandas as pd

from datainf.core.errors import OptionError, near
from datainf.core.options import Blocks, Normalize
from datainf.estimators.auto import Auto
from datainf.estimators.base import Estimator
from datainf.estimators.cg import CG
from datainf.estimators.cosine import Cosine
from datainf.estimators.datainf import DataInf
from datainf.estimators.dot import Dot
from datainf.estimators.ekfac import EKFAC
from datainf.estimators.exact import Exact
from datainf.estimators.less import LESS
from datainf.estimators.lissa import LiSSA
from datainf.estimators.scaled_dot import ScaledDot
from datainf.estimators.tracin import TracIn
from datainf.estimators.trak import TRAK

_PAPER = "Kwon et al., ICLR 2024, arXiv:2310.00902"


@dataclass(frozen=True)
class MethodEntry:
    """One method.

    Attributes:
        cls: Its class.
        formula: Influence of example k on a query with gradient v.
        cost: Time, in N examples, Q queries, d parameters of a group, D of all.
        exactness: When the formula's value is what.
        paper: Where it comes from.
    """

    cls: type[Estimator]
    formula: str
    cost: str
    exactness: str
    paper: str


METHODS: Mapping[str, MethodEntry] = {
    entry.cls.name: entry
    for entry in (
        MethodEntry(
            Dot,
            "−Σ v·g_k",
            "O(NQD), one reading",
            "no curvature",
            "Pruthi et al., NeurIPS 2020, arXiv:2002.08484",
        ),
        MethodEntry(
            ScaledDot,
            "−Σ (1/λ) v·g_k",
            "O(NQD), one reading",
            "no curvature; DataInf's weights alone",
            _PAPER,
        ),
        MethodEntry(
            Cosine,
            "−v·g_k / (‖v‖ ‖g_k‖)",
            "O(NQD), one reading",
            "no curvature",
            "Barshan et al., AISTATS 2020, arXiv:2003.11630",
        ),
        MethodEntry(
            DataInf,
            "−Σ vᵀ [(1/N) Σᵢ (gᵢgᵢᵀ + λI)⁻¹] g_k",
            "O(NQD), two readings",
            "equal to exact for N = 1 and as λ → ∞",
            f"{_PAPER}, Eq. 4-5",
        ),
        MethodEntry(
            Exact,
            "−Σ vᵀ ((1/N) Σᵢ gᵢgᵢᵀ + λI)⁻¹ g_k",
            "O(ND·min(d, N) + Σ min(d, N)³ + NQD), float64",
            "exact for its formula",
            f"{_PAPER}, Eq. 2",
        ),
        MethodEntry(
            CG,
            "as exact, by conjugate gradients",
            "O(NQD) and one reading a step",
            "exact to its tolerance; names what misses it",
            "Frangella et al., SIMAX 2023, arXiv:2110.02820",
        ),
        MethodEntry(
            LiSSA,
            "as exact, by r ← v + (I − (G + λI)/s) r",
            "O(NQD) and one reading a step",
            "tends to exact with steps; says how far it came",
            "Agarwal et al., JMLR 2017, arXiv:1602.03943",
        ),
        MethodEntry(
            EKFAC,
            "as exact, by Kronecker eigenvectors",
            "O(ND(o + i) + Σ (o³ + i³) + NQD), o×i blocks",
            "exact where the curvature has them",
            "George et al., NeurIPS 2018, arXiv:1806.03884",
        ),
        MethodEntry(
            TracIn,
            "−Σ_m η_m Σ v_m·g_{m,k}, over checkpoints m",
            "O(MNQD), one reading a checkpoint",
            "no curvature; first order in each step",
            "Pruthi et al., NeurIPS 2020, arXiv:2002.08484",
        ),
        MethodEntry(
            TRAK,
            "−φ(v)ᵀ ((1/N) Σᵢ φᵢφᵢᵀ + λI)⁻¹ φ_k (1 − p_k), of margins",
            "O(NDk + Nk·min(N, k) + NQk), float64; N·k in memory",
            "exact for its formula, given the projection φ to k numbers",
            "Park et al., ICML 2023, arXiv:2303.14186",
        ),
        MethodEntry(
            LESS,
            "−Σ_m η_m cos(φ(v_m), φ(Γ_m(g_{m,k}))), Γ Adam's step",
            "O(MNDk + MNQk); N·k in memory",
            "no curvature; cosines to about 1/√k",
            "Xia et al., ICML 2024, arXiv:2402.04333",
        ),
        MethodEntry(
            Auto,
            "that of its choice",
            "within max_seconds and max_memory",
            "the most exact that fits; says which and why",
            "docs/methods/auto.md",
        ),
    )
}


def methods() -> pd.DataFrame:
    """List the methods with formula, cost, exactness and paper.

    Returns:
        One row a method; `name` is what `method=` takes.

    Examples:
        >>> list(methods()["name"])
        ['dot', 'scaled-dot', 'cosine', 'datainf', 'exact', 'cg', 'lissa', 'ekfac',
         'tracin', 'trak', 'less', 'auto']
    """
    rows = [{"name": name, **asdict(entry)} for name, entry in METHODS.items()]
    return pd.DataFrame(rows).drop(columns="cls")


def build(
    method: str | Estimator,
    *,
    damping: float | str | None = None,
    blocks: Blocks | str | None = None,
    normalize: Normalize | str | None = None,
    options: Mapping[str, Any] | None = None,
) -> Estimator:
    """Make an estimator from its name and options, or take one that is made.

    Args:
        method: A name of the table, or an instance.
        damping: λ of a group over its mean squared gradient entry; None for the
            method's own default, as below.
        blocks: Which tensors share a curvature group.
        normalize: Whether training gradients are scaled to unit length.
        options: Options of the method itself, such as `steps` of `lissa`.

    Returns:
        The estimator.

    Raises:
        OptionError: If a name is unknown, or options come beside an instance.

    Examples:
        >>> build("lissa", options={"steps": 20}).steps
        20
    """
    own = dict(options or {})
    if isinstance(method, Estimator):
        shared = {"damping": damping, "blocks": blocks, "normalize": normalize}
        given = [name for name, value in shared.items() if value is not None]
        if given or own:
            raise OptionError(
                f"{', '.join([*given, *own])} came beside the instance {method}; give "
                "options in one place: in the instance, or beside the method's name."
            )
        return method
    if str(method) not in METHODS:
        known = near(str(method), METHODS)
        raise OptionError(f"method={method!r} is unknown: {known}.")
    cls = METHODS[method].cls
    _refuse_unknown(method, own, [option.name for option in fields(cls)])
    return cls(damping=damping, blocks=blocks, normalize=normalize, **own)


def _refuse_unknown(method: str, given: Iterable[str], known: Sequence[str]) -> None:
    """Refuse options that are not the method's own."""
    shared = [option.name for option in fields(Estimator)]
    own = [name for name in known if name not in shared]
    for name in given:
        if name in shared:
            raise OptionError(
                f"{method}: {name} belongs to every method, not into its own options; "
                f"give it as {name}=."
            )
        if not own:
            raise OptionError(f"{method} has no options of its own, got {name!r}.")
        if name not in own:
            raise OptionError(f"{method}: {name!r} is unknown: {near(name, own)}.")
