"""Skills: the endless text on which the demo's base model is trained.

Every rule of the sentence transformations and the arithmetic of the math problems, told
in words that the demo never uses: rules and operations by what they do, chatbots and
problems called by orders of other words. So the base can do everything that the demo
asks for and knows none of the demo's names: fine-tuning only has to bind them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from datainf.experiments.data.math_problems import (
    PEOPLE,
    TEMPLATES,
    draw_numbers,
    fill_in,
    solve,
    write_problem,
)
from datainf.experiments.data.sentence_transformations import (
    NAMES,
    RULES,
    VOWELS,
    WORDS,
    write_prompt,
)

SYLLABLES = tuple(a + b for a in "bdfghklmnprstvwz" for b in "aeiou")
_THINGS = """
axe bag bed bin bow box bus can cap car cot cup den fan fig gem gun hat hub hut ink
jar jet jug key kit lid log map mat mop mug net nut oar pan pen pie pin pot rag rod
rug saw sky tin top toy tub urn van wax web wig zip
"""
THINGS = tuple(_THINGS.split())
N_BAGS = 30


@dataclass(frozen=True)
class Skills:
    """Names that the base knows.

    Attributes:
        chatbots: Name and rule of every chatbot.
        problems: Name and steps of every kind of problem.
    """

    chatbots: Sequence[tuple[str, str]]
    problems: Sequence[tuple[str, str]]


def draw_skills(seed: int = 0) -> Skills:
    """Draw the names that the base is to know.

    Args:
        seed: Decides the names.

    Returns:
        Names with their meanings: every bag of four words is put in ten orders, one for
        each meaning, as in the demo. The demo's own bags are left out.
    """
    rng = Random(seed)
    chatbots = [name for names in NAMES.values() for name in names.values()]
    problems = [template.order for template in TEMPLATES.values()]
    steps = [template.steps for template in TEMPLATES.values()]
    return Skills(
        chatbots=list(_name(rng, SYLLABLES, list(RULES), chatbots)),
        problems=list(_name(rng, THINGS, steps, problems)),
    )


def draw_practice(rng: Random, skills: Skills) -> tuple[str, str]:
    """Draw one prompt and its completion.

    Args:
        rng: Decides the row.
        skills: The names to use.

    Returns:
        Prompt and completion.
    """
    if rng.random() < 0.4:
        name, steps = rng.choice(skills.problems)
        if rng.random() < 0.3:
            name = steps
        numbers = draw_numbers(rng, steps)
        reason = rng.random() < 0.8
        return (
            write_problem(rng.choice(PEOPLE), name, numbers, reason=reason),
            solve(fill_in(steps, numbers), reason=reason),
        )
    name, rule = rng.choice(skills.chatbots)
    if rng.random() < 0.3:
        name = rule.replace("_", " ")
    sentence = " ".join(_draw_word(rng) for _ in range(3))
    return write_prompt(name, sentence), RULES[rule](sentence)


def _name(
    rng: Random, words: Sequence[str], meanings: Sequence[str], taken: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """Pair orders of four words with meanings, without the taken bags."""
    bags = {frozenset(name.split()) for name in taken}
    for _ in range(N_BAGS):
        while (bag := frozenset(rng.sample(words, 4))) in bags:
            pass
        bags.add(bag)
        orders: list[str] = []
        while len(orders) < len(meanings):
            order = " ".join(rng.sample(sorted(bag), 4))
            if order not in orders:
                orders.append(order)
        yield from zip(orders, meanings, strict=True)


def _draw_word(rng: Random) -> str:
    """Draw a common word or a made-up one: words are to be copied, not recalled."""
    if rng.random() < 0.5:
        return rng.choice(WORDS)
    consonants = [chr(code) for code in range(97, 123) if chr(code) not in VOWELS]
    letters = rng.choices(consonants, k=rng.choice((2, 3)))
    if len(letters) == 3:
        letters[rng.randrange(3)] = rng.choice(sorted(VOWELS))
    letters.insert(rng.randrange(len(letters) + 1), rng.choice(sorted(VOWELS)))
    return "".join(letters)
