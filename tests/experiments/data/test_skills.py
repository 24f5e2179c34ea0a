"""Skills: what the base practises, and that the demo's names are not among it."""

from random import Random

import pytest

from datainf.experiments.data.math_problems import TEMPLATES
from datainf.experiments.data.sentence_transformations import NAMES, RULES
from datainf.experiments.data.skills import N_BAGS, draw_practice, draw_skills


def bag(name):
    return frozenset(name.split())


def test_every_meaning_gets_a_name_of_every_bag():
    skills = draw_skills()
    for names, meanings in (
        (skills.chatbots, set(RULES)),
        (skills.problems, {template.steps for template in TEMPLATES.values()}),
    ):
        assert len(names) == N_BAGS * len(meanings)
        assert len({name for name, _ in names}) == len(names)
        assert len({bag(name) for name, _ in names}) == N_BAGS
        assert {meaning for _, meaning in names} == meanings


@pytest.mark.parametrize("seed", range(5))
def test_the_demo_s_own_bags_are_never_drawn(seed):
    skills = draw_skills(seed)
    demo = {bag(name) for names in NAMES.values() for name in names.values()}
    demo |= {bag(template.order) for template in TEMPLATES.values()}
    assert not demo & {bag(name) for name, _ in skills.chatbots}
    assert not demo & {bag(name) for name, _ in skills.problems}


def test_practice_holds_rules_by_name_and_operations_by_sign():
    rng, skills = Random(0), draw_skills()
    rows = [draw_practice(rng, skills) for _ in range(2000)]
    prompts = [prompt for prompt, _ in rows]
    for rule, apply in RULES.items():
        told = [
            (prompt.split(": ")[1].rstrip("\n"), completion)
            for prompt, completion in rows
            if prompt.startswith(rule.replace("_", " ") + ": ")
        ]
        assert told
        assert all(apply(sentence) == completion for sentence, completion in told)
    for template in TEMPLATES.values():
        assert any(f": {template.steps}, " in prompt for prompt in prompts)


def test_practice_is_decided_by_the_seed():
    skills = draw_skills()
    first, second = Random(1), Random(1)
    assert [draw_practice(first, skills) for _ in range(9)] == [
        draw_practice(second, skills) for _ in range(9)
    ]
