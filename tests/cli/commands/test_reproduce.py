"""`reproduce`: toy experiments through the command line, resumed and published."""

import json
from dataclasses import replace

import pytest

from datainf.experiments import (
    counterfactual,
    drawn,
    filtered,
    mislabeled,
    presets,
    text_generation,
    text_to_image,
    text_to_image_figures,
    text_to_image_page,
    text_to_image_timesteps,
)
from datainf.experiments.judged import ALL_JUDGED
from datainf.experiments.measuring import BASELINES
from datainf.experiments.variants import Variant
from tests.cli.command import refused, worked
from tests.experiments.places import (
    drawn_at_once,
    ranked_at_once,
    tiny_base,
    tiny_data,
    tiny_drawer,
    tiny_photos,
    tiny_roberta,
    tiny_styles,
    tiny_writer,
)
from tests.tiny_diffusion import DIFFUSERS

# Of `mislabeled` one rank, since every variant of every method is tried on it.
RANKS = {"theorem": "1,2", "mislabeled": "2", "approximation": "1,2"}
TOY = (
    "--seeds",
    1,
    "--train-rows",
    11,
    "--epochs",
    1,
    "--format",
    "json",
)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a tiny base model and tiny data; adapters are shared in it."""
    folder = tmp_path_factory.mktemp("reproduce")
    tiny_base(folder / "base")
    tiny_roberta(folder / "roberta")
    tiny_data(folder / "data")
    return folder


@pytest.mark.parametrize("name", RANKS)
def test_an_experiment_leaves_page_figure_and_records(place, name):
    out, docs = place / "out", place / "docs"
    flags = (
        *("--model", place / "base", "--data-dir", place / "data"),
        *("--datasets", "sst2", "--ranks", RANKS[name], *TOY),
        *("--out", out, "--publish", docs),
    )
    first = worked("reproduce", name, *flags)
    rows = json.loads(first.out)
    assert rows
    page = docs / f"{name}.md"
    assert f"page: {page}" in first.err
    text = page.read_text()
    assert str(place) not in text
    assert f"datainf reproduce {name} --model MODEL --data-dir DATA" in text
    assert (docs / f"{name}.svg").read_text().startswith("<svg")
    records = (docs / f"{name}.jsonl").read_text()
    assert str(place) not in records
    # The second run measures nothing, and says the same.
    again = worked("reproduce", name, *flags)
    assert json.loads(again.out) == rows
    assert page.read_text() == text
    assert (docs / f"{name}.jsonl").read_text() == records


@pytest.mark.parametrize(("given", "ranks"), [((), {4, 1}), (("--ranks", 2), {2})])
def test_the_small_preset_of_mislabeled_goes_through_the_ranks(
    place, monkeypatch, given, ranks
):
    monkeypatch.setattr(mislabeled, "all_variants", lambda: [Variant("datainf")])
    monkeypatch.setattr(mislabeled, "FURTHER_RANKS", {"sst2": (1,)})
    flags = (
        *("--model", place / "base", "--data-dir", place / "data"),
        *("--datasets", "sst2,noisy_ag_news", *given, *TOY, "--out", place / "ranks"),
    )
    rows = json.loads(worked("reproduce", "mislabeled", *flags).out)
    assert {row["rank"] for row in rows if row["data"] == "sst2"} == ranks
    assert {row["rank"] for row in rows if row["data"] != "sst2"} == {max(ranks)}


@pytest.mark.parametrize("preset", ["small", "paper"])
def test_text_generation_runs_by_either_preset_on_a_local_model(
    tmp_path, monkeypatch, preset
):
    few = [Variant("dot"), Variant("datainf")]
    monkeypatch.setattr(text_generation, "variants", lambda: few)
    ran = worked(
        *("reproduce", "text-generation", "--preset", preset, "--ranks", "2"),
        *("--model", tiny_writer(tmp_path / "base"), "--datasets", "math-paper"),
        *(*TOY, "--out", tmp_path / "out", "--publish", tmp_path / "docs"),
    )
    methods = {row["method"] for row in json.loads(ran.out)}
    assert methods == {"dot", "datainf", *BASELINES}
    text = (tmp_path / "docs" / "text-generation.md").read_text()
    assert "\ndatainf reproduce text-generation " in text
    assert f" --preset {preset}" in text
    assert str(tmp_path) not in text
    assert (tmp_path / "docs" / "text-generation.svg").is_file()
    assert (tmp_path / "docs" / "text-generation.jsonl").is_file()


@pytest.mark.skipif(not DIFFUSERS, reason="diffusers cannot be imported")
@pytest.mark.parametrize("dataset", ["subjects", "styles-hub"])
def test_the_paper_preset_of_text_to_image_takes_a_local_pipeline(
    tmp_path, monkeypatch, dataset
):
    few = [Variant("datainf")]
    monkeypatch.setattr(text_to_image, "variants", lambda: few)
    monkeypatch.setattr(text_to_image_page, "variants", lambda: few)
    monkeypatch.setattr(text_to_image, "TIMESTEPS", (1,))
    monkeypatch.setattr(text_to_image_timesteps, "TIMESTEPS", (1,))
    monkeypatch.setattr(text_to_image_timesteps, "REFERENCE", 2)
    monkeypatch.setattr(text_to_image_figures, "TIMESTEPS", (1,))
    monkeypatch.setattr(text_to_image, "REFERENCE", 2)
    monkeypatch.setattr(drawn, "generated", drawn_at_once)
    if dataset != "subjects":  # once is enough
        monkeypatch.setattr(text_to_image, "_by_passes", ranked_at_once)
    monkeypatch.setattr(
        presets,
        "IMAGE_PRESETS",
        {
            name: replace(study, task={"resolution": 16, "timesteps": 1})
            for name, study in presets.IMAGE_PRESETS.items()
        },
    )
    ran = worked(
        *("reproduce", "text-to-image", "--preset", "paper", "--ranks", "2"),
        *("--model", tiny_drawer(tmp_path / "base"), "--datasets", dataset),
        *("--data-dir", tiny_styles(tiny_photos(tmp_path / "data"))),
        *(*TOY, "--out", tmp_path / "out", "--publish", tmp_path / "docs"),
    )
    methods = {row["method"] for row in json.loads(ran.out)}
    assert methods == {"datainf", *text_to_image.BASELINES}
    text = (tmp_path / "docs" / "text-to-image.md").read_text()
    assert " --preset paper" in text
    assert f"\n## {dataset}, r = 2\n" in text
    assert str(tmp_path) not in text
    for name in ("text-to-image", "text-to-image-timesteps"):
        assert (tmp_path / "docs" / f"{name}.svg").is_file()
    assert (tmp_path / "docs" / "text-to-image.jsonl").is_file()


@pytest.mark.parametrize("name", ["mislabeled", "filtered", "approximation"])
def test_the_paper_preset_takes_local_stand_ins(place, monkeypatch, name):
    few = [Variant("exact"), Variant("datainf")]
    monkeypatch.setattr(mislabeled, "all_variants", lambda: few)
    monkeypatch.setattr(filtered, "variants", lambda _: few)
    monkeypatch.setattr(filtered, "BASELINES", ("random",))
    flags = (
        *("--preset", "paper", "--model", place / "roberta", "--ranks", "1"),
        *("--data-dir", place / "data", "--datasets", "sst2", *TOY),
    )
    ran = worked("reproduce", name, *flags, "--out", place / "paper")
    rows = json.loads(ran.out)
    assert {row["rank"] for row in rows} == {1}
    assert "datainf" in {row.get("method", row.get("kept by")) for row in rows}
    text = (place / "paper" / f"{name}.md").read_text()
    assert "Preset `paper`" in text


def test_what_is_kept_of_real_noise_is_trained_and_tested(place, monkeypatch):
    monkeypatch.setattr(filtered, "variants", lambda _: [Variant("datainf")])
    monkeypatch.setattr(filtered, "BASELINES", ("loss",))
    flags = (
        *("--model", place / "base", "--data-dir", place / "data", "--ranks", "2"),
        *("--datasets", "noisy_ag_news", "--keep", 0.6, *TOY),
        *("--out", place / "out", "--publish", place / "docs"),
    )
    rows = json.loads(worked("reproduce", "filtered", *flags).out)
    kept_by = {row["kept by"] for row in rows}
    assert kept_by == {"datainf", "loss", *filtered.REFERENCES}
    text = (place / "docs" / "filtered.md").read_text()
    assert str(place) not in text
    assert " --keep 0.6 " in text
    assert (place / "docs" / "filtered.svg").read_text().startswith("<svg")
    assert str(place) not in (place / "docs" / "filtered.jsonl").read_text()


def test_a_share_that_keeps_all_is_refused(place):
    flags = ("--model", place / "base", "--data-dir", place / "data", "--keep", 1)
    message = "keep must lie between 0 and 1, got 1."
    assert refused("reproduce", "filtered", *flags, "--out", place / "x") == message


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            ("--ranks", "1,x"),
            "--ranks must be whole numbers such as 1,4,16, got '1,x'.",
        ),
        (("--epochs", 1.5), "--epochs must be a whole number here, got 1.5."),
        (
            ("--preset", "smal"),
            "preset='smal' is unknown: expected one of: small, paper; did you mean "
            "'small'?.",
        ),
        (
            ("--datasets", "sst2"),
            "the preset small needs a base model for sst2: name a folder or hub name "
            "with --model.",
        ),
    ],
)
def test_mistakes_are_refused_before_any_work(flags, message, tmp_path):
    out = ("--out", tmp_path, "--seeds", 1)
    assert refused("reproduce", "mislabeled", *flags, *out) == message


def test_what_retraining_says_leaves_page_figure_and_records(tmp_path, monkeypatch):
    toy = replace(ALL_JUDGED["sentences"], train_rows=40, queries=10, along=False)
    monkeypatch.setattr(counterfactual, "ALL_JUDGED", {"sentences": toy})
    monkeypatch.setattr(counterfactual, "METHODS", ("dot:normalize=none", "random"))
    flags = ("--datasets", "sentences", "--subsets", 3, "--twins", 0)
    out = ("--out", tmp_path / "out", "--publish", tmp_path / "docs")
    ran = worked("reproduce", "counterfactual", *flags, *out, "--format", "json")
    assert {row["scores"] for row in json.loads(ran.out)} == {
        "dot:normalize=none",
        "random",
    }
    text = (tmp_path / "docs" / "counterfactual.md").read_text()
    (command,) = [x for x in text.splitlines() if x.startswith("datainf reproduce")]
    assert {"counterfactual", "--datasets", "sentences", "--subsets"} < set(
        command.split()
    )
    assert (tmp_path / "docs" / "counterfactual.svg").is_file()
    assert (tmp_path / "docs" / "counterfactual.jsonl").is_file()
