"""One toy run of each experiment, shared by the tests of its numbers and its page."""

from dataclasses import replace
from pathlib import Path

import pytest

from datainf.core.evaluate_options import BatchOrder
from datainf.experiments import (
    approximation,
    counterfactual,
    drawn,
    filtered,
    filtered_page,
    mislabeled,
    text_generation,
    text_generation_page,
    text_to_image,
    text_to_image_figures,
    text_to_image_page,
    text_to_image_timesteps,
    theorem,
)
from datainf.experiments.judged import ALL_JUDGED, Judged, JudgedStudy, Plan
from datainf.experiments.variants import Variant, all_variants
from tests.experiments.places import (
    drawn_at_once,
    ranked_at_once,
    tiny_base,
    tiny_data,
    tiny_picture_study,
    tiny_study,
    tiny_text_study,
)


@pytest.fixture(scope="package", autouse=True)
def few_variants():
    """Every method by its name alone, and one with all that is varied.

    tests/cli/commands/test_reproduce.py runs the whole list.
    """
    chosen = [v for v in all_variants() if not v.options or v.method == "datainf"]
    chosen.append(Variant("cosine", {"normalize": "relatif"}))  # which it refuses
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(mislabeled, "all_variants", lambda: chosen)
        yield chosen


@pytest.fixture(scope="package")
def found_wrong(tmp_path_factory: pytest.TempPathFactory):
    """`mislabeled` on two data sets, one at a further rank, two seeds; its folder."""
    folder = tmp_path_factory.mktemp("mislabeled")
    study = tiny_study(folder, datasets=("sst2", "demo-lm"), rows=40)
    study = replace(study, further_ranks={"sst2": (1,)})
    return mislabeled.run(study, folder / "out"), folder / "out"


@pytest.fixture(scope="package")
def found_classes(tmp_path_factory: pytest.TempPathFactory):
    """`text-generation` on one task, two seeds and a few variants; its folder."""
    folder = tmp_path_factory.mktemp("text-generation")
    few = [Variant(name) for name in ("dot", "datainf", "trak", "less")]
    few += [Variant(name, {"normalize": "relatif"}) for name in ("datainf", "cosine")]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(text_generation, "variants", lambda: few)
        patched.setattr(text_generation_page, "variants", lambda: few)
        yield text_generation.run(tiny_text_study(folder), folder / "out"), folder


@pytest.fixture(scope="package")
def found_pictures(tmp_path_factory: pytest.TempPathFactory):
    """`text-to-image` on both tasks and by a few variants; its folder."""
    folder = tmp_path_factory.mktemp("text-to-image")
    few = [Variant(name) for name in ("dot", "datainf", "trak")]
    few += [Variant("cosine", {"normalize": "relatif"})]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(text_to_image, "variants", lambda: few)
        patched.setattr(text_to_image_page, "variants", lambda: few)
        patched.setattr(text_to_image, "TIMESTEPS", (1, 2))
        patched.setattr(text_to_image_timesteps, "TIMESTEPS", (1, 2))
        patched.setattr(text_to_image_figures, "TIMESTEPS", (1, 2))
        patched.setattr(text_to_image, "_by_passes", ranked_at_once)
        patched.setattr(drawn, "generated", drawn_at_once)
        yield text_to_image.run(tiny_picture_study(folder), folder / "out"), folder


@pytest.fixture(scope="package")
def kept(tmp_path_factory: pytest.TempPathFactory):
    """`filtered` by few methods on one data set, two seeds; its folder."""
    folder = tmp_path_factory.mktemp("filtered")
    study = tiny_study(folder)
    few = [Variant("dot"), Variant("datainf")]
    few.append(Variant("cosine", {"normalize": "relatif"}))  # which it refuses
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(filtered, "variants", lambda _: few)
        patched.setattr(filtered_page, "variants", lambda _: few)
        patched.setattr(filtered, "BASELINES", ("loss", "random"))
        found = filtered.run(study, folder / "out", filtered.Filtering(test_rows=7))
        yield found, folder / "out"


@pytest.fixture(scope="package")
def approximated(tmp_path_factory: pytest.TempPathFactory):
    """`approximation` on one data set, two ranks, two seeds."""
    folder = tmp_path_factory.mktemp("approximation")
    study = tiny_study(folder, ranks=(1, 3))
    return approximation.run(study, folder / "out")


@pytest.fixture(scope="package")
def swapped(tmp_path_factory: pytest.TempPathFactory):
    """`theorem` on small random gradients and one tiny encoder, two ranks."""
    folder: Path = tmp_path_factory.mktemp("theorem")
    settings = theorem.TheoremSettings(sizes=(5, 11, 23), rows=13, seeds=2)
    study = tiny_study(folder, ranks=(1, 3))
    return theorem.run(study, folder / "out", settings=settings)


def toy_judged() -> Judged:
    """The first adapter that is judged, on few rows and in one pass."""
    whole = ALL_JUDGED["sst2"]
    training = {**whole.recipe.training, "num_train_epochs": 1}
    training["per_device_train_batch_size"] = 4
    return replace(
        whole,
        train_rows=13,
        queries=5,
        recipe=replace(whole.recipe, training=training),
        plans=(Plan(BatchOrder.RESHUFFLED, 0.5), Plan(BatchOrder.KEPT, 0.5)),
    )


@pytest.fixture(scope="package")
def judged(tmp_path_factory: pytest.TempPathFactory):
    """`counterfactual` on one adapter with two plans and three methods; its folder."""
    folder = tmp_path_factory.mktemp("counterfactual")
    study = JudgedStudy(
        preset="toy",
        judged=("sst2",),
        subsets=3,
        twins=3,
        left_out=3,
        drop=(0.3,),
        random=3,
        model=str(tiny_base(folder / "base")),
        data_dir=str(tiny_data(folder / "data")),
    )
    few = ("dot:normalize=none", "cosine", "random")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(counterfactual, "METHODS", few)
        patched.setattr(counterfactual, "PRUNED", few[:1])
        patched.setattr(counterfactual, "ALONG", ("less",))
        known = {**ALL_JUDGED, "sst2": toy_judged()}
        patched.setattr(counterfactual, "ALL_JUDGED", known)
        found = counterfactual.run(study, folder / "out")
        yield found, folder / "out"
