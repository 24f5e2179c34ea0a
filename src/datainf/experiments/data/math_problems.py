"""Math word problems: ten templates with random numbers, with or without a reason.

The second text task of Kwon et al. (ICLR 2024), with templates of our own and numbers
from 1 to 9, so that a model of one million parameters can learn the arithmetic. The
completion is the number alone ("10"), or the steps that lead to it
("9+4=13, 13-3=10").

Wordings:
    paper: ten stories, each in words of its own.
    shared: every problem lists the same four things and three numbers, and the order of
        the things stands for the operation ("cup tin jar bag" adds the first two
        numbers, "tin bag cup jar" multiplies them): TF-IDF of the prompts can tell
        nothing. People and numbers are drawn for each row.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from types import MappingProxyType

from datainf.experiments.data.rows import Draft, Row, Wording, build_rows

_PEOPLE = """
ann ben cal dee eva gus ida joe kim leo mia ned ola pam ray sue tom una vic zed
"""
PEOPLE = tuple(_PEOPLE.split())
FOODS = ("figs", "eggs", "nuts", "pies", "buns", "plums", "pears", "limes", "beans")


@dataclass(frozen=True)
class Template:
    """One kind of problem.

    Attributes:
        steps: What is computed from three numbers a, b and c, as in "a+b-c".
        story: The problem in words of its own, with the fields who, food, a, b and c.
        order: The problem's name in the shared wording.
    """

    steps: str
    story: str
    order: str


TEMPLATES: Mapping[str, Template] = MappingProxyType(
    {
        "gain": Template(
            "a+b", "{who} has {a} {food} and gets {b} more.", "cup tin jar bag"
        ),
        "gift": Template(
            "a-b", "of {a} {food}, {who} gives {b} to a friend.", "tin cup bag jar"
        ),
        "bags": Template(
            "a*b", "{who} fills {a} bags, {b} {food} in each.", "jar bag cup tin"
        ),
        "plates": Template(
            "b+c", "one plate: {b} {food}. other plate: {c}.", "bag jar tin cup"
        ),
        "price": Template(
            "c-a", "{food} cost {c}. {who} owns {a}. money missing?", "cup jar bag tin"
        ),
        "trays": Template(
            "b*c", "{b} trays hold {c} {food} apiece.", "tin bag jar cup"
        ),
        "days": Template(
            "a+b+c", "monday {a}, tuesday {b}, sunday {c} {food}.", "jar cup tin bag"
        ),
        "bus": Template(
            "a+b-c", "bus with {a}: {b} get on, {c} get off.", "bag tin cup jar"
        ),
        "twins": Template(
            "a+a", "{who} picks {a} {food}, her twin the same.", "cup bag tin jar"
        ),
        "garden": Template(
            "b*b", "{who} grows a square of {food}, {b} a side.", "tin jar cup bag"
        ),
    }
)


def solve(steps: Sequence[str], *, reason: bool) -> str:
    """Work out numbers joined by signs from left to right.

    Args:
        steps: Number, sign, number, sign, ..., number, as in ["9", "+", "4"].
        reason: Whether the steps are written down before the answer.

    Returns:
        The answer, or the steps that end with it.

    Examples:
        >>> solve(["9", "+", "4", "-", "3"], reason=True)
        '9+4=13, 13-3=10'
        >>> solve(["9", "+", "4", "-", "3"], reason=False)
        '10'
    """
    total = int(steps[0])
    lines = []
    for sign, number in zip(steps[1::2], steps[2::2], strict=True):
        before = total
        if sign == "+":
            total += int(number)
        elif sign == "-":
            total -= int(number)
        else:
            total *= int(number)
        lines.append(f"{before}{sign}{number}={total}")
    return ", ".join(lines) if reason else str(total)


def draw_numbers(rng: Random, steps: str) -> dict[str, str]:
    """Draw three numbers from 1 to 9 with an answer that is not negative.

    Args:
        rng: Decides the numbers.
        steps: What is computed from them, as in "a+b-c".

    Returns:
        The numbers as text, by their letters.
    """
    while True:
        numbers = {letter: str(rng.randint(1, 9)) for letter in "abc"}
        if int(solve(fill_in(steps, numbers), reason=False)) >= 0:
            return numbers


def fill_in(steps: str, numbers: Mapping[str, str]) -> list[str]:
    """Put numbers for the letters of a template's steps."""
    return [numbers.get(part, part) for part in steps]


def write_problem(
    who: str, order: str, numbers: Mapping[str, str], *, reason: bool
) -> str:
    """Write a problem of the shared wording as a prompt."""
    return f"{who}: {order}, {' '.join(numbers.values())}. {ask(reason=reason)}"


def ask(*, reason: bool) -> str:
    """Write the question: for the steps or for the number."""
    return "why?\n" if reason else "left?\n"


def math_problems(
    n_train_per_class: int = 90,
    n_test_per_class: int = 10,
    seed: int = 0,
    *,
    wording: str = Wording.SHARED,
    reason: bool = True,
    planted: float = 0.0,
) -> tuple[list[Row], list[Row]]:
    """Generate the ten templates' rows.

    Args:
        n_train_per_class: Training rows of each template.
        n_test_per_class: Test rows of each template.
        seed: Decides every row.
        wording: "paper" or "shared" templates; see the top of this file.
        reason: Whether the completion gives its steps before the answer.
        planted: Share of the training rows with a wrong number: what another template
            would compute.

    Returns:
        Training rows and test rows with `prompt`, `completion`, `class` and `planted`.

    Examples:
        >>> train, test = math_problems(2, 1, seed=0)
        >>> len(train), len(test), sorted(train[0])
        (20, 10, ['class', 'completion', 'planted', 'prompt'])
    """
    return build_rows(
        tuple(TEMPLATES),
        partial(_draft, wording=Wording(wording), reason=reason),
        n_train_per_class=n_train_per_class,
        n_test_per_class=n_test_per_class,
        seed=seed,
        planted=planted,
    )


def _draft(rng: Random, name: str, *, wording: Wording, reason: bool) -> Draft:
    """Draw a problem of one template, and another template's answer to it."""
    template = TEMPLATES[name]
    who, food = rng.choice(PEOPLE), rng.choice(FOODS)
    while True:
        numbers = draw_numbers(rng, template.steps)
        right = fill_in(template.steps, numbers)
        wrong = fill_in(rng.choice(list(TEMPLATES.values())).steps, numbers)
        totals = [int(solve(steps, reason=False)) for steps in (right, wrong)]
        if min(totals) >= 0 and totals[0] != totals[1]:
            break
    if wording is Wording.SHARED:
        prompt = write_problem(who, template.order, numbers, reason=reason)
    else:
        story = template.story.format(who=who, food=food, **numbers)
        prompt = f"{story} {ask(reason=reason)}"
    return Draft(prompt, solve(right, reason=reason), solve(wrong, reason=reason))
