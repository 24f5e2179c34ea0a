"""The table of methods and `build`."""

import re

import pytest

from datainf.core.errors import OptionError
from datainf.core.options import Blocks
from datainf.estimators.datainf import DataInf
from datainf.estimators.lissa import LiSSA
from datainf.estimators.table import METHODS, build, methods

NAMES = [
    "dot",
    "scaled-dot",
    "cosine",
    "datainf",
    "exact",
    "cg",
    "lissa",
    "ekfac",
    "tracin",
    "trak",
    "less",
    "auto",
]


def refuses(message):
    return pytest.raises(OptionError, match=f"^{re.escape(message)}$")


def test_every_method_has_a_line_and_every_line_is_full():
    table = methods()
    assert list(table.columns) == ["name", "formula", "cost", "exactness", "paper"]
    assert list(table["name"]) == list(METHODS) == NAMES
    assert (table.map(len) > 0).all(axis=None)


@pytest.mark.parametrize("method", NAMES)
def test_the_name_of_a_line_is_the_classes_own(method):
    assert METHODS[method].cls.name == method
    assert type(build(method)) is METHODS[method].cls


def test_options_reach_the_estimator():
    made = build(
        "lissa",
        damping=0.5,
        blocks="layer",
        normalize="example",
        options={"steps": 3, "scale": 2.0},
    )
    assert made == LiSSA(
        damping=0.5, blocks=Blocks.LAYER, normalize="example", steps=3, scale=2.0
    )


def test_an_instance_is_given_back():
    made = DataInf(damping=0.5)
    assert build(made) is made


def test_options_beside_an_instance_are_refused():
    made = DataInf()
    with refuses(
        f"damping, blocks, steps came beside the instance {made}; give options in one "
        "place: in the instance, or beside the method's name."
    ):
        build(made, damping=0.1, blocks="all", options={"steps": 3})


def test_unknown_names_are_refused_with_the_near_one():
    with refuses(
        "method='datinf' is unknown: expected one of: dot, scaled-dot, cosine, "
        "datainf, exact, cg, lissa, ekfac, tracin, trak, less, auto; did you mean "
        "'datainf'?."
    ):
        build("datinf")
    with refuses(
        "lissa: 'step' is unknown: expected one of: steps, tolerance, scale, seed; did "
        "you mean 'steps'?."
    ):
        build("lissa", options={"step": 3})
    with refuses("datainf has no options of its own, got 'steps'."):
        build("datainf", options={"steps": 3})
    with refuses(
        "exact: damping belongs to every method, not into its own options; give it as "
        "damping=."
    ):
        build("exact", options={"damping": 0.1})
