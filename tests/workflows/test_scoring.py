"""From `score:` in run.yaml to the arguments of `score`."""

import re

import pytest

from datainf.core.errors import OptionError
from datainf.core.options import Blocks, Normalize, ScoreOptions
from datainf.store.memory import InMemorySource
from datainf.workflows.score import score
from datainf.workflows.scoring import scoring_of
from tests.estimators.gradient_sets import N, Q, random_gradients


def test_what_was_left_open_is_absent():
    assert scoring_of(ScoreOptions()) == {"keep_blocks": False}


def test_every_option_is_passed_on_beside_the_methods_own():
    options = ScoreOptions(
        method="lissa",
        damping=0.3,
        blocks="layer",
        normalize="example",
        options={"steps": 7},
        keep_blocks=True,
        agreement=False,
    )
    assert scoring_of(options) == {
        "damping": 0.3,
        "blocks": Blocks.LAYER,
        "normalize": Normalize.EXAMPLE,
        "steps": 7,
        "keep_blocks": True,
        "agreement": False,
    }


def test_score_takes_what_comes_of_it():
    train, queries = (InMemorySource(random_gradients(n, n)) for n in (N, Q))
    options = ScoreOptions(method="lissa", damping=0.3, options={"steps": 7})
    found = score(train, queries, method=options.method, **scoring_of(options))
    used = found.provenance
    assert (used.method, used.options["steps"], used.options["damping"]) == (
        "lissa",
        7,
        0.3,
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ScoreOptions(method="datinf"),
            "method='datinf' is unknown: expected one of: dot, scaled-dot, cosine, "
            "datainf, exact, cg, lissa, ekfac, tracin, trak, less, auto; did you mean "
            "'datainf'?.",
        ),
        (
            ScoreOptions(method="dot", damping=0.1),
            "dot does not use damping, got 0.1; leave it out.",
        ),
        (
            ScoreOptions(options={"steps": 7}),
            "datainf has no options of its own, got 'steps'.",
        ),
        (
            ScoreOptions(method="lissa", options={"step": 7}),
            "lissa: 'step' is unknown: expected one of: steps, tolerance, scale, "
            "seed; did you mean 'steps'?.",
        ),
        (
            ScoreOptions(method="lissa", options={"damping": 0.1}),
            "lissa: damping belongs to every method, not into its own options; give it "
            "as damping=.",
        ),
    ],
)
def test_options_that_the_method_does_not_have_are_refused(options, message):
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        scoring_of(options)
