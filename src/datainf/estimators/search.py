"""The k candidates that matter most to each query, in one reading and little memory.

    v_k = Σ_l x_l·g_kl / c_kl,   x what a method made of the query; the score is −v

A portion's products are taken in float32, in whatever order the library adds them up,
so each is off by at most

    e_k = γ Σ_l ‖x_l‖ ‖g_kl‖ / c_kl + t,   γ = m u / (1 − m u),   u = 2⁻²⁴

(Higham, Accuracy and Stability of Numerical Algorithms, 2002, section 3.1, with
Cauchy-Schwarz), m the roundings on the way to one v: the longest block, the blocks and
a few more; t what underflow may lose. A row whose v + e is below k others' v − e, or
below the k-th best so far, is none of the k best. All others, some k of the first
portion and few of each later one, are multiplied again in float64. So the answer is
that of float64 products with every row, as stored.

Costs O(NQD) time and one reading; memory O(Qk) and one portion, never `[Q, N]`.
N candidates, Q queries, L blocks, d parameters of a block, n rows of a portion.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float32, Float64, Int64
from torch import Tensor

from datainf.core.errors import OptionError
from datainf.core.options import Normalize, Order
from datainf.core.share import share_of
from datainf.core.source import GradientSource, RowBlock
from datainf.estimators.stream import divisors
from datainf.linalg.threads import lone_threads

# A portion, counted as float32, is long enough that what is done once a portion costs
# nothing; the slice that a thread converts at a time stays in its core's cache.
_PORTION_BYTES = 64 * 2**20
_SLICE_BYTES = 2 * 2**20
_UNIT = 2.0**-24
_MORE_ROUNDINGS = 8  # of x and g to float32, the division, v itself
_SMALLEST = 2.0**-126

Run = Callable[..., Iterable[None]]
"""As `map`: a function, and what it is called with."""

KEYS: Mapping[Order, Callable[[Tensor], Tensor]] = {
    Order.PROPONENTS: lambda v: v,
    Order.OPPONENTS: torch.neg,
    Order.MAGNITUDE: torch.abs,
}
"""What is largest for the candidates that come first."""


@dataclass(frozen=True)
class Best:
    """The k best candidates of each query.

    Attributes:
        places: Of the candidates in their source, best first.
        values: v of each, minus its score.
    """

    places: Int64[Tensor, "Q k"]
    values: Float64[Tensor, "Q k"]


def search_rows(
    vectors: Mapping[str, Float[Tensor, "Q _"]],
    candidates: GradientSource,
    *,
    k: int,
    order: Order = Order.PROPONENTS,
    normalize: Normalize = Normalize.NONE,
) -> Best:
    """Find the best candidates of every query.

    Args:
        vectors: Block -> x.
        candidates: The rows, N of them.
        k: How many a query; all N when there are fewer.
        order: Which end of the scores.
        normalize: What rows are divided by.

    Returns:
        The best; of equal ones those that come first.

    Raises:
        OptionError: If processes share the rows, or they are divided by what only all
            of them together tell.
    """
    if share_of(candidates, len(candidates)).ranks > 1:
        raise OptionError("search is the work of one process; leave other ranks out.")
    if normalize == Normalize.RELATIF:
        raise OptionError(
            "normalize='relatif' divides by the self-influence of every row, so all "
            "rows must be scored: use score, or another normalize."
        )
    key, k = KEYS[order], min(k, len(candidates))
    queries = range(len(next(iter(vectors.values()))))
    values = [torch.empty(0, dtype=torch.float64) for _ in queries]
    places = [torch.empty(0, dtype=torch.int64) for _ in queries]
    row = 4 * sum(candidates.layout.sizes.values())
    with _running(len(queries)) as (run, parts):
        products = Products(vectors, normalize, run=run, parts=parts)
        for part in candidates.rows(size=max(1, _PORTION_BYTES // row)):
            rough, error = products.rough(part)
            for q in queries:
                near = key(rough[q])
                known = key(values[q])[k - 1 :]
                at = _possible(near, error[q], known, k)
                values[q] = torch.cat([values[q], products.exact(part, q, at)])
                places[q] = torch.cat([places[q], part.start + at])
                # Stable: of equal ones those that came first stay first.
                first = key(values[q]).argsort(descending=True, stable=True)[:k]
                values[q], places[q] = values[q][first], places[q][first]
    return Best(torch.stack(places), torch.stack(values))


@contextmanager
def _running(queries: int) -> Iterator[tuple[Run, int]]:
    """Give what multiplies the parts of a portion, and how many parts to make.

    One product a row waits for memory: each thread brings and multiplies rows of its
    own. Many are arithmetic, which the library divides between threads better.

    Args:
        queries: How many.

    Yields:
        What runs the parts, and how many.
    """
    if queries > 1:
        yield map, 1
        return
    with lone_threads() as threads:
        yield threads.map, torch.get_num_threads()


def _possible(
    near: Float64[Tensor, " n"],
    error: Float64[Tensor, " n"],
    known: Float64[Tensor, " _"],
    k: int,
) -> Int64[Tensor, " _"]:
    """Give the rows that may be among the k best, in their order.

    Args:
        near: Key of each row, off by at most `error`; or no number at all.
        error: Its bound.
        known: The k-th best key so far, if there are k.
        k: How many are wanted.

    Returns:
        Their places in the portion.
    """
    # What overflowed says nothing: it is no floor for others, and computed again.
    told = near.isfinite()
    at_least = torch.where(told, near - error, -torch.inf)
    floors = [*known[:1], *at_least.topk(min(k, len(near))).values[k - 1 :]]
    floor = max((float(one) for one in floors), default=-torch.inf)
    return (~told | (near + error >= floor)).nonzero().flatten()


class Products:
    """Products of rows with every query's x: fast ones with a bound, and right ones."""

    def __init__(
        self,
        vectors: Mapping[str, Float[Tensor, "Q _"]],
        normalize: Normalize,
        *,
        run: Run = map,
        parts: int = 1,
    ) -> None:
        """Take the vectors, scaled to a length at which float32 loses little.

        Args:
            vectors: Block -> x.
            normalize: What rows are divided by.
            run: Multiplies the parts of a portion.
            parts: How many there are.
        """
        wide = "cpu", torch.float64
        whole = {name: x.detach().to(*wide) for name, x in vectors.items()}
        lengths = torch.stack([x.norm(dim=1) for x in whole.values()], dim=1)
        size = lengths.norm(dim=1)
        self._size = torch.where(size > 0, size, torch.ones_like(size))
        self._lengths = lengths / self._size[:, None]
        self._normalize = normalize
        self._exact = {n: x / self._size[:, None] for n, x in whole.items()}
        # Rows, not columns: products with few contiguous columns are slow (MKL).
        self._rough = {name: x.float() for name, x in self._exact.items()}
        longest = max(x.shape[1] for x in whole.values())
        roundings = (longest + len(whole) + _MORE_ROUNDINGS) * _UNIT
        self._gamma = roundings / (1 - roundings)
        self._lost = _SMALLEST * sum(x.shape[1] + 2 for x in whole.values())
        self._run = run
        size = max(_SLICE_BYTES // 4, longest)
        self._buffers = [torch.empty(size) for _ in range(parts)]

    @property
    def queries(self) -> int:
        """Count the queries, Q."""
        return len(self._size)

    def rough(
        self, part: RowBlock
    ) -> tuple[Float64[Tensor, "Q n"], Float64[Tensor, "Q n"]]:
        """Multiply a portion's rows in float32.

        Args:
            part: The rows.

        Returns:
            v of every row, and how far it may be off.
        """
        norms = part.squared_norms.cpu()
        divided = divisors(norms, self._normalize)
        total = torch.zeros(len(part), self.queries)
        for column, (name, x) in enumerate(self._rough.items()):
            found = self._multiplied(part.gradients[name], x)
            if self._normalize.scales_rows:
                found /= divided[:, column, None].float()
            total += found
        bound = self._lengths @ (norms.sqrt() / divided).T
        size = self._size[:, None]
        return total.double().T * size, (self._gamma * bound + self._lost) * size

    def exact(
        self, part: RowBlock, query: int, at: Int64[Tensor, " m"]
    ) -> Float64[Tensor, " m"]:
        """Multiply some rows of a portion in float64.

        Args:
            part: The portion.
            query: Whose x.
            at: Which rows.

        Returns:
            v of each.
        """
        divided = divisors(part.squared_norms.cpu()[at], self._normalize)
        total = torch.zeros(len(at), dtype=torch.float64)
        for column, (name, x) in enumerate(self._exact.items()):
            rows = part.gradients[name]
            chosen = rows[at.to(rows.device)].to("cpu", torch.float64)
            total += chosen @ x[query] / divided[:, column]
        return total * self._size[query]

    def _multiplied(
        self, rows: Float[Tensor, "n d"], x: Float32[Tensor, "Q d"]
    ) -> Float32[Tensor, "n Q"]:
        """Multiply with one block's x: part by part, a slice in float32 at a time."""
        found = torch.empty(len(rows), len(x))
        share = -(-len(rows) // len(self._buffers))

        def multiply(buffer: Tensor, first: int) -> None:
            step = len(buffer) // x.shape[1]
            end = min(first + share, len(rows))
            for start in range(first, end, step):
                some = rows[start : min(start + step, end)]
                wide = buffer[: some.numel()].view(some.shape).copy_(some)
                torch.mm(wide, x.T, out=found[start : start + len(some)])

        firsts = range(0, len(rows), share)
        list(self._run(multiply, self._buffers, firsts))
        return found
