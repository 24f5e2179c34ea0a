"""`reproduce text-to-image` at a toy size: both gradients, baselines, pictures."""

import base64
import json

import numpy as np
import pytest
from PIL import Image

from tests.tiny_diffusion import DIFFUSERS

if not DIFFUSERS:
    pytest.skip("diffusers cannot be imported", allow_module_level=True)

from dataclasses import replace

from datainf.core.errors import DataError, OptionError
from datainf.evaluation.picture_baselines import pixel_scores
from datainf.evaluation.retrieval import class_detection
from datainf.experiments import cells, drawn, text_to_image
from datainf.experiments.cells import ADAPTER
from datainf.experiments.drawn import DRAWN
from datainf.experiments.text_to_image import BASELINES, MEASURES, PASSES, run, tasks_of
from datainf.experiments.units import Unit, opened
from datainf.experiments.variants import Variant
from datainf.workflows.score import score
from tests.experiments.places import tiny_picture_study

UNIT = Unit("styles", 2, 0, noisy=False)


@pytest.fixture(scope="module")
def subject(found_pictures):
    """One adapter of the run, with its stores; nothing is trained anew."""
    measured, folder = found_pictures
    with opened(UNIT, measured.study, folder / "out") as found:
        yield found


def cell(measured, key, unit=UNIT):
    return measured.records[{**unit.key(measured.study), **key}]


def detected(scores, rows):
    found = class_detection(
        scores, [r["class"] for r in rows.train], [r["class"] for r in rows.validation]
    )
    return {"auc": found.auc, "recall": found.recall}


def test_every_unit_has_every_cell_with_both_gradients(found_pictures):
    measured, _ = found_pictures
    assert len(measured.units) == 2
    keys = [v.key for v in vars(text_to_image)["variants"]()]
    keys = [key for key in keys if Variant(**key).label not in measured.refused]
    keys += [Variant(name).key for name in BASELINES]
    for unit in measured.units:
        for key in keys:
            found = cell(measured, key, unit)
            assert set(found) == {"loss", "square"}
            for one in found.values():
                assert 0 <= one["auc"] <= 1
                assert 0 <= one["recall"] <= 1
    assert len(measured.records) == len(measured.units) * (len(keys) + 3)
    assert set(measured.refused) == {"cosine, normalize=relatif", "trak"}


@pytest.mark.parametrize("measure", MEASURES)
def test_a_cell_is_what_score_and_class_detection_say(found_pictures, subject, measure):
    measured, _ = found_pictures
    rows = subject.rows
    task = replace(subject.subject.task, measure=measure)
    seen = (task, rows.train, rows.validation)
    scores = score(*subject.collected(f"again-{measure}", seen), method="datainf")
    found = cell(measured, Variant("datainf").key)[str(measure)]
    expected = detected(scores.values, rows)
    assert {name: found[name] for name in expected} == expected


def test_baselines_read_pictures_and_captions_alone(found_pictures, subject):
    measured, _ = found_pictures
    rows = subject.rows
    task = subject.subject.task
    small = ([np.array(task.fitted(r)) for r in p] for p in parts(rows))
    expected = detected(pixel_scores(*small), rows)
    found = cell(measured, Variant("pixels").key)["loss"]
    assert {name: found[name] for name in expected} == expected
    # A caption names its style: that is what it is there to show.
    assert cell(measured, Variant("TF-IDF").key)["loss"]["auc"] > 0.9


def parts(rows):
    return rows.train, rows.validation


def test_an_adapters_cell_says_what_it_learned_from(found_pictures, subject):
    measured, _ = found_pictures
    found = cell(measured, ADAPTER)
    assert (found["rows"], found["queries"], found["classes"]) == (9, 6, 3)
    assert found["validation_loss"] == pytest.approx(np.mean(subject.validation.losses))
    assert found["validation_loss_before"] != found["validation_loss"]


def test_pictures_are_drawn_on_the_first_seed_and_ours_alone_are_kept(found_pictures):
    measured, _ = found_pictures
    found = cell(measured, DRAWN)
    assert len(found["drawn"]) == drawn.PROMPTS
    assert len({one["prompt"].partition(" style")[0] for one in found["drawn"]}) == 3
    for one in found["drawn"]:
        for side in ("before", "after"):
            assert base64.b64decode(one[side])[8:12] == b"WEBP"
    assert len(found["explained"]) == drawn.EXPLAINED
    for one in found["explained"]:
        scores = [p["score"] for p in one["proponents"]]
        assert scores == sorted(scores)
        assert one["opponents"][0]["score"] >= scores[-1]
    photos = cell(measured, DRAWN, replace(UNIT, dataset="subjects"))
    assert len(photos["drawn"]) == 3  # as many as there are to be asked about
    assert photos["explained"] == []


def test_rankings_are_compared_by_timesteps_and_by_noise(found_pictures):
    measured, _ = found_pictures
    found = dict(cell(measured, PASSES))
    most = found.pop(str(text_to_image.REFERENCE))
    assert set(most) == {"dot", "datainf"}
    assert set(found) == {str(t) for t in text_to_image.TIMESTEPS}
    for one in found.values():
        assert set(one) == {"spearman", "overlap", *most}
        assert 0 <= one["dot"]["auc"] <= 1
        assert -1 <= one["spearman"] <= 1
        assert 0 <= one["overlap"] <= 1


@pytest.mark.parametrize("key", [ADAPTER, DRAWN, PASSES])
def test_a_picture_that_cannot_be_drawn_takes_no_other_cell_with_it(
    subject, monkeypatch, key
):
    def black(*_):
        raise DataError("the picture is black.")

    others = {**text_to_image._OTHERS, key["method"]: black}
    monkeypatch.setattr(text_to_image, "_OTHERS", others)
    refused: dict[str, str] = {}
    keys = [key, Variant("random").key]
    found = dict_of(text_to_image._cells(UNIT, subject, keys, refused))
    assert list(found) == ["random"]
    assert refused == {Variant(**key).label: "the picture is black."}


def dict_of(found):
    return {key["method"]: result for key, result in found}


def test_pictures_are_compared_as_the_model_sees_them(subject):
    wide = Image.new("RGB", (48, 16), "red")
    wide.paste("blue", (16, 0, 32, 16))
    (seen,) = text_to_image._small(subject, [{"image": wide}])
    assert seen.shape == (16, 16, 3)
    assert (seen == (0, 0, 255)).all()  # the middle, and nothing squeezed into it


def test_few_seeds_draw_and_compare_timesteps(subject):
    later = replace(UNIT, seed=2)
    assert text_to_image._drawn(later, subject) == {"drawn": [], "explained": []}
    assert text_to_image._passes(later, subject) == {}


def test_no_place_stands_in_the_records(found_pictures):
    _, folder = found_pictures
    text = (folder / "out" / "text-to-image.jsonl").read_text()
    assert str(folder) not in text
    assert all(json.loads(line) for line in text.splitlines())


def test_a_finished_run_opens_no_adapter(found_pictures, monkeypatch):
    measured, folder = found_pictures

    def refuse(*_):
        raise AssertionError("nothing is to be opened")

    monkeypatch.setattr(cells, "opened", refuse)
    study = replace(measured.study)
    again = run(study, folder / "out")
    assert len(again.records) == len(measured.records)


def test_another_task_is_refused_by_name(tmp_path):
    study = tiny_picture_study(tmp_path, datasets=("style",))
    with pytest.raises(OptionError, match=r"task .style. is unknown: .*did you mean"):
        tasks_of(study)
