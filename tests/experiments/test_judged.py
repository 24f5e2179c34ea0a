"""Presets of what is judged: names, replacements, refusals."""

import pytest

from datainf.core.errors import OptionError
from datainf.experiments.data.pictures import TUNED
from datainf.experiments.judged import ALL_JUDGED, JUDGED_PRESETS, judged_study


def test_presets_name_adapters_that_there_are():
    for preset in JUDGED_PRESETS.values():
        assert set(preset.judged) <= set(ALL_JUDGED)


def test_the_full_preset_judges_a_hundred_subsets_of_five_adapters():
    full = JUDGED_PRESETS["full"]
    assert full.subsets == 100
    assert sum(ALL_JUDGED[name].like is None for name in full.judged) == 5
    plans = {(str(p.order), p.removed) for p in ALL_JUDGED["sst2"].plans}
    assert plans == {(o, r) for o in ("reshuffled", "kept") for r in (0.5, 0.2, 0.05)}


def test_what_is_named_is_replaced():
    study = judged_study(
        "full", model="m", data_dir="d", judged=("mrpc",), subsets=7, twins=3, workers=2
    )
    assert (study.judged, study.subsets, study.twins) == (("mrpc",), 7, 3)
    assert (study.model, study.data_dir, study.workers) == ("m", "d", 2)
    assert judged_study("full").twins == JUDGED_PRESETS["full"].twins


def test_the_base_is_the_adapters_own_or_the_users():
    study = judged_study(model="bert")
    assert study.base_of(ALL_JUDGED["sst2"]) == "bert"
    assert study.base_of(ALL_JUDGED["gsm8k"]).endswith("demo-base")
    with pytest.raises(OptionError) as refused:
        judged_study().base_of(ALL_JUDGED["sst2"])
    assert str(refused.value) == (
        "sst2 needs a base model: name a folder or hub name of an encoder with --model."
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"preset": "ful"}, "preset='ful' is unknown: expected one of: small, full; "),
        ({"judged": ("sst",)}, "'sst' is not judged here: expected one of: sst2, "),
    ],
)
def test_unknown_names_are_refused(given, message):
    with pytest.raises(OptionError) as refused:
        judged_study(**given)
    assert str(refused.value).startswith(message)


def test_every_setting_decides_the_name_of_its_cells():
    settings = [str(one.settings()) for one in ALL_JUDGED.values()]
    # Two adapters may be trained alike on other rows; their names tell them apart.
    assert len(set(settings)) == len(settings) - 1


def test_sums_are_judged_by_the_retrainings_of_means():
    mean, total = ALL_JUDGED["gsm8k"], ALL_JUDGED["gsm8k-sum"]
    assert (total.like, total.task) == ("gsm8k", {"reduction": "sum"})
    assert (total.recipe, total.rows, total.base) == (mean.recipe, mean.rows, mean.base)


def test_the_full_preset_judges_the_styles_of_the_small_pipeline():
    styles = ALL_JUDGED["styles"]
    assert "styles" in JUDGED_PRESETS["full"].judged
    assert judged_study().base_of(styles).endswith("demo-pipeline")
    found = styles.rows(None, 6, 3)
    assert [row["class"] for row in found.train] == [*TUNED] * 2
    assert len(found.queries) == 3
    assert found.task["name"] == "text-to-image"
