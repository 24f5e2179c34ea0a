"""The batch plan: every row once, budgets kept, halvings replayed."""

from hypothesis import given
from hypothesis import strategies as st

from datainf.core.batch import BATCH_TOKENS, budget_of, plan_batches

LENGTHS = st.lists(st.integers(1, 31), min_size=1, max_size=23)
BUDGETS = st.integers(1, 67)
HALVINGS = st.lists(st.integers(0, 5), max_size=5)


@given(LENGTHS, BUDGETS, HALVINGS)
def test_every_row_is_planned_once(lengths, budget, halvings):
    plan = plan_batches(lengths, budget, halvings)
    assert sorted(i for batch in plan for i in batch) == list(range(len(lengths)))


@given(LENGTHS, BUDGETS)
def test_a_batch_keeps_the_budget_unless_its_example_is_alone(lengths, budget):
    for batch in plan_batches(lengths, budget):
        padded = len(batch) * max(lengths[i] for i in batch)
        assert padded <= budget or len(batch) == 1


@given(LENGTHS, BUDGETS)
def test_longest_come_first_and_ties_keep_the_order(lengths, budget):
    order = [i for batch in plan_batches(lengths, budget) for i in batch]
    assert order == sorted(range(len(lengths)), key=lambda i: (-lengths[i], i))


@given(LENGTHS, BUDGETS)
def test_a_batch_is_closed_only_when_the_next_row_would_not_fit(lengths, budget):
    plan = plan_batches(lengths, budget)
    for batch in plan[:-1]:
        longest = max(lengths[i] for i in batch)
        assert (len(batch) + 1) * longest > budget


@given(LENGTHS, st.integers(2, 67), st.data())
def test_replayed_halvings_equal_the_live_run(lengths, budget, data):
    """Live: batch k fails, the rest is planned anew with half the budget, and so on."""
    halvings: list[int] = []
    done: list[list[int]] = []
    rest, left = list(range(len(lengths))), budget
    while rest:
        order = sorted(rest, key=lambda i: (-lengths[i], i))
        first = _first_batch(order, lengths, left)
        if len(first) > 1 and len(halvings) < 4 and data.draw(st.booleans()):
            halvings.append(len(done))
            left = max(1, left // 2)
            continue
        done.append(first)
        rest = [i for i in rest if i not in first]
    assert plan_batches(lengths, budget, halvings) == done


def _first_batch(order, lengths, budget):
    batch = [order[0]]
    for i in order[1:]:
        if (len(batch) + 1) * lengths[order[0]] > budget:
            break
        batch.append(i)
    return batch


def test_batches_before_a_halving_are_not_touched():
    lengths = [5] * 7
    whole = plan_batches(lengths, 15)
    halved = plan_batches(lengths, 15, [1])
    assert halved[0] == whole[0]
    assert halved[1:] == [[3], [4], [5], [6]]


def test_a_halving_of_a_budget_of_one_changes_nothing():
    assert plan_batches([3, 2], 1, [0, 0]) == [[0], [1]]


def test_a_budget_of_which_nothing_is_said_fills_a_gpu():
    assert budget_of(None) == BATCH_TOKENS
    assert budget_of(7) == 7
