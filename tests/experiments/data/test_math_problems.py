"""Math problems: each template by hand, and what the rows promise."""

from collections import Counter
from random import Random

import pytest

from datainf.experiments.data.math_problems import (
    TEMPLATES,
    draw_numbers,
    fill_in,
    math_problems,
    solve,
    write_problem,
)
from datainf.experiments.data.rows import Wording

# Completions for the numbers a=9, b=4, c=6, with a reason; the answer stands last.
BY_HAND = {
    "gain": "9+4=13",
    "gift": "9-4=5",
    "bags": "9*4=36",
    "plates": "4+6=10",
    "price": "6-9=-3",
    "trays": "4*6=24",
    "days": "9+4=13, 13+6=19",
    "bus": "9+4=13, 13-6=7",
    "twins": "9+9=18",
    "garden": "4*4=16",
}
NUMBERS = {"a": "9", "b": "4", "c": "6"}


def answer_of(completion):
    return int(completion.split("=")[-1])


def numbers_of(row):
    listed = row["prompt"].split(", ")[1].split(".")[0]
    return dict(zip("abc", listed.split(), strict=True))


def right_completion(row, *, reason):
    steps = fill_in(TEMPLATES[row["class"]].steps, numbers_of(row))
    return solve(steps, reason=reason)


def test_every_template_has_an_example_by_hand():
    assert set(BY_HAND) == set(TEMPLATES)
    assert len(TEMPLATES) == 10


@pytest.mark.parametrize("name", sorted(BY_HAND))
def test_template_computes_what_was_worked_out_by_hand(name):
    steps = fill_in(TEMPLATES[name].steps, NUMBERS)
    assert solve(steps, reason=True) == BY_HAND[name]
    assert solve(steps, reason=False) == BY_HAND[name].split("=")[-1]


def test_no_two_templates_compute_the_same():
    assert len({template.steps for template in TEMPLATES.values()}) == len(TEMPLATES)


def test_a_number_alone_is_its_own_answer():
    assert solve(["7"], reason=False) == "7"


def test_prompt_of_the_shared_wording_by_hand():
    assert (
        write_problem("ann", "cup tin jar bag", NUMBERS, reason=True)
        == "ann: cup tin jar bag, 9 4 6. why?\n"
    )
    assert (
        write_problem("ann", "cup tin jar bag", NUMBERS, reason=False)
        == "ann: cup tin jar bag, 9 4 6. left?\n"
    )


def test_drawn_numbers_never_lead_below_zero():
    rng = Random(0)
    for _ in range(200):
        numbers = draw_numbers(rng, "c-a")
        assert int(numbers["c"]) >= int(numbers["a"])


@pytest.mark.parametrize("reason", [True, False])
def test_counts_and_answers(reason):
    train, test = math_problems(7, 3, seed=2, reason=reason)
    assert Counter(row["class"] for row in train) == dict.fromkeys(TEMPLATES, 7)
    assert Counter(row["class"] for row in test) == dict.fromkeys(TEMPLATES, 3)
    for row in train + test:
        assert set(row) == {"prompt", "completion", "class", "planted"}
        assert row["completion"] == right_completion(row, reason=reason)
        assert row["planted"] is False


def test_stories_of_the_paper_wording_hold_the_numbers_that_count():
    train, _ = math_problems(5, 0, seed=2, wording="paper")
    for row in train:
        first_step = row["completion"].split("=")[0]
        given = {letter for letter in first_step if letter.isdigit()}
        assert given <= set(row["prompt"])


@pytest.mark.parametrize("wording", list(Wording))
def test_rows_are_decided_by_the_seed(wording):
    rows = math_problems(5, 2, 3, wording=wording)
    assert rows == math_problems(5, 2, 3, wording=wording)
    assert rows != math_problems(5, 2, 4, wording=wording)


@pytest.mark.parametrize("wording", list(Wording))
def test_no_prompt_is_met_twice(wording):
    train, test = math_problems(40, 5, seed=5, wording=wording)
    prompts = [row["prompt"] for row in train + test]
    assert len(prompts) == len(set(prompts)) == 450


def test_shared_orders_are_one_bag_of_words_in_ten_orders():
    orders = [template.order for template in TEMPLATES.values()]
    assert len(set(orders)) == len(TEMPLATES)
    assert len({frozenset(Counter(order.split()).items()) for order in orders}) == 1


@pytest.mark.parametrize("reason", [True, False])
def test_planted_rows_are_counted_exactly_and_wrong(reason):
    train, test = math_problems(7, 3, seed=6, planted=0.3, reason=reason)
    marked = [row for row in train if row["planted"]]
    assert len(marked) == 21
    for row in train:
        right = right_completion(row, reason=reason)
        wrong_number = answer_of(row["completion"]) != answer_of(right)
        assert wrong_number is row["planted"]
    assert not any(row["planted"] for row in test)


def test_planted_rows_of_the_paper_wording_are_counted_exactly():
    train, _ = math_problems(7, 3, seed=6, planted=0.3, wording="paper")
    assert sum(row["planted"] for row in train) == 21
