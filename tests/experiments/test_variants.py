"""Variants: every method of the table, every normalisation, no line twice."""

import numpy as np
import torch

from datainf.core.options import Normalize
from datainf.estimators.table import METHODS
from datainf.experiments.variants import (
    LIKE_OTHERS,
    Variant,
    all_variants,
    defaults,
    refusals,
)
from datainf.store.memory import InMemorySource
from datainf.workflows.score import score


def test_every_method_and_normalisation_is_there_once():
    found = all_variants()
    assert {v.method for v in found} == set(METHODS)
    for name in METHODS:
        normalized = [v.options.get("normalize") for v in found if v.method == name]
        if name in LIKE_OTHERS:
            assert normalized == [None]
            continue
        assert set(normalized) == {None, *(str(n) for n in Normalize)} - {"none"}
    assert len({v.label for v in found}) == len(found)


def test_damping_is_varied_only_where_a_method_has_one():
    varied = {v.method for v in all_variants() if "damping" in v.options}
    divides = {name for name, entry in METHODS.items() if entry.cls.divides}
    assert varied == divides - {*LIKE_OTHERS}


def test_a_label_says_the_options():
    variant = Variant("exact", {"normalize": "example", "damping": 0.01})
    assert variant.label == "exact, normalize=example, damping 0.01"
    assert variant.key == {
        "method": "exact",
        "options": {"normalize": "example", "damping": 0.01},
    }


def test_what_is_not_varied_scores_as_another_method_on_one_adapter():
    generator = torch.Generator().manual_seed(0)
    rows, query = (
        InMemorySource({"a": torch.randn(n, 7, generator=generator).double()})
        for n in (11, 3)
    )
    alike = {"cg": "exact", "auto": "exact", "tracin": "dot"}
    assert alike.keys() == {*LIKE_OTHERS}
    for name, other in alike.items():
        first, second = (
            np.argsort(score(rows, query, method=method).values, axis=1)
            for method in (name, other)
        )
        np.testing.assert_array_equal(first, second)


def test_no_damping_is_refused_for_want_of_rows():
    refused = refusals(all_variants())
    assert not [label for label in refused if "damping" in label]


def test_only_what_refuses_is_refused_with_its_own_words():
    found = refusals([*defaults(), Variant("cosine", {"normalize": "relatif"})])
    assert found.keys() == {"cosine, normalize=relatif"}
    assert found["cosine, normalize=relatif"].startswith("cosine scales every training")
