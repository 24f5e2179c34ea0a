"""Variants: every method of the table, every normalisation, no line twice."""

from datainf.core.options import Normalize
from datainf.estimators.table import METHODS
from datainf.experiments.variants import Variant, all_variants, defaults, refusals


def test_every_method_and_normalisation_is_there_once():
    found = all_variants()
    assert {v.method for v in found} == set(METHODS)
    for name in METHODS:
        normalized = [v.options.get("normalize") for v in found if v.method == name]
        assert set(normalized) == {None, *(str(n) for n in Normalize)} - {"none"}
    assert len({v.label for v in found}) == len(found)


def test_damping_is_varied_only_where_a_method_has_one():
    varied = {v.method for v in all_variants() if "damping" in v.options}
    assert varied == {name for name, entry in METHODS.items() if entry.cls.divides}


def test_a_label_says_the_options():
    variant = Variant("exact", {"normalize": "example", "damping": 0.01})
    assert variant.label == "exact, normalize=example, damping 0.01"
    assert variant.key == {
        "method": "exact",
        "options": {"normalize": "example", "damping": 0.01},
    }


def test_no_damping_is_refused_for_want_of_rows():
    refused = refusals(all_variants())
    assert not [label for label in refused if "damping" in label]


def test_only_what_refuses_is_refused_with_its_own_words():
    found = refusals([*defaults(), Variant("cosine", {"normalize": "relatif"})])
    assert found.keys() == {"cosine, normalize=relatif"}
    assert found["cosine, normalize=relatif"].startswith("cosine scales every training")
