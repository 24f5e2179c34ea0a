"""The batch plan: which examples go through the model together.

Batches never cross a shard, so a shard can be made anew by itself. Inside one, examples
of like length go together, as many as the token budget allows (padded tokens: B × the
longest). When memory runs out in batch k, the rows from that batch on are planned anew
with half the budget; the list of such k is the shard's whole history, so a plan can be
replayed to the bit.
"""

from collections.abc import Sequence

BATCH_TOKENS = 4096
"""Padded tokens of a batch that fill a GPU."""


def budget_of(tokens: int | None) -> int:
    """Give the token budget of a batch, where no device has settled it.

    Args:
        tokens: Most padded tokens, as they were asked for.

    Returns:
        That number, or what fills a GPU.
    """
    return BATCH_TOKENS if tokens is None else tokens


def plan_batches(
    lengths: Sequence[int], budget: int, halved_at: Sequence[int] = ()
) -> list[list[int]]:
    """Plan the batches of one shard.

    Args:
        lengths: Tokens of each example of the shard.
        budget: Most padded tokens in a batch; an example longer than that goes alone.
        halved_at: Batch numbers at which memory ran out, in the order it happened. Each
            halves the budget for the rows from that batch on.

    Returns:
        Positions within the shard, batch by batch, longest examples first (so that the
        batch that needs most memory comes at once). Ties keep the data's order.

    Examples:
        >>> plan_batches([3, 9, 2, 3], budget=10)
        [[1], [0, 3, 2]]
        >>> plan_batches([3, 9, 2, 3], budget=10, halved_at=[1])
        [[1], [0], [3], [2]]
    """
    order = sorted(range(len(lengths)), key=lambda i: (-lengths[i], i))
    batches = _pack(order, lengths, budget)
    for number in halved_at:
        budget = max(1, budget // 2)
        rest = [i for batch in batches[number:] for i in batch]
        batches[number:] = _pack(rest, lengths, budget)
    return batches


def _pack(order: Sequence[int], lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Fill batches in order; lengths fall, so the first of a batch is its longest."""
    batches: list[list[int]] = []
    for i in order:
        current = batches[-1] if batches else None
        if current and (len(current) + 1) * lengths[current[0]] <= budget:
            current.append(i)
        else:
            batches.append([i])
    return batches
