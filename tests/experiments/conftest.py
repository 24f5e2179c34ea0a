"""One toy run of each experiment, shared by the tests of its numbers and its page."""

from pathlib import Path

import pytest

from datainf.experiments import approximation, mislabeled, theorem
from datainf.experiments.variants import Variant, all_variants
from tests.experiments.places import tiny_study


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
    """`mislabeled` on two data sets, two seeds; its folder."""
    folder = tmp_path_factory.mktemp("mislabeled")
    study = tiny_study(folder, datasets=("sst2", "demo-lm"), rows=40)
    return mislabeled.run(study, folder / "out"), folder / "out"


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
