"""Rankings by timesteps on the page: what stays, chance, and how the class is found."""

import numpy as np
import pytest

from tests.tiny_diffusion import DIFFUSERS

if not DIFFUSERS:
    pytest.skip("diffusers cannot be imported", allow_module_level=True)

from datainf.experiments import text_to_image_timesteps as pages
from datainf.experiments.cells import Measured
from datainf.experiments.comparing import cells
from datainf.experiments.records import Records
from datainf.experiments.tables import share
from datainf.experiments.text_to_image import PASSES

GROUP = ("styles", 2)


def test_timesteps_are_listed_with_what_stays_and_how_the_class_is_found(
    found_pictures,
):
    measured, _ = found_pictures
    (found,) = [one for one in cells(measured, GROUP, PASSES) if one]
    one, most = found["1"], found["100"]
    classes = [
        " | ".join(f"{share(x[n]['auc'])} / {share(x[n]['recall'])}" for n in BOTH)
        for x in (one, most)
    ]
    shown = f"{share(one['spearman'])} | {share(one['overlap'])} | 1"
    text = "\n\n".join(pages.timesteps_words(measured))
    assert f"| styles, r = 2 | 1 | {shown} | {classes[0]} |" in text
    assert f"| styles, r = 2 | 100 | – | – | 1 | {classes[1]} |" in text
    # Nine pictures, and all of them among the ten strongest.
    assert "styles, r = 2: N = 9, by chance 1.000 of the ten stay." in text


BOTH = ("dot", "datainf")


def test_the_auc_of_the_most_timesteps_is_set_beside_that_of_the_studys_own(
    found_pictures,
):
    measured, _ = found_pictures  # a study of two timesteps
    (found,) = [one for one in cells(measured, GROUP, PASSES) if one]
    gaps = [found["100"][n]["auc"] - found["2"][n]["auc"] for n in BOTH]
    said = pages.timesteps_words(measured)[-1]
    assert "By 100 less by 2, on the same seeds: styles, r = 2 (1 seeds): `dot`" in said
    assert all(share(gap) in said for gap in gaps)


def test_older_records_say_nothing_of_the_class(found_pictures, tmp_path):
    measured, _ = found_pictures
    records = Records(tmp_path / "r.jsonl", {})
    for unit in measured.units:
        key = {**unit.key(measured.study), **PASSES}
        one = {"spearman": 0.5, "overlap": 0.25}
        records.add(key, {"1": one, "2": one})
    old = Measured(measured.study, records, measured.units, {})
    text = "\n\n".join(pages.timesteps_words(old))
    assert "| 1 | .500 | .250 | 1 | not measured | not measured |" in text
    assert text.endswith(
        "**Does the number of timesteps change the AUC?** It is not measured."
    )


def test_means_over_seeds_are_of_the_seeds_that_were_compared(found_pictures):
    measured, _ = found_pictures
    found = pages.passes(measured, GROUP)
    assert {len(one["overlap"]) for one in found.values()} == {1}
    assert np.isfinite([one["spearman"] for one in found.values()]).all()
