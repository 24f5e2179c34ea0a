"""`reproduce theorem`, `mislabeled`, ...: the experiments that the docs report."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from datainf.cli.console import Bars, tell
from datainf.cli.flags import Given
from datainf.cli.output import format_of, write_table
from datainf.core.errors import OptionError

if TYPE_CHECKING:
    from datainf.experiments.presets import Study
    from datainf.experiments.records import Records

_OUT = "runs/reproduce"
# Flags whose value is a place on this machine -> what a page says instead.
_PLACES = {"model": "MODEL", "data_dir": "DATA", "publish": "docs/results"}
_ALL_RANKS = (1, 2, 4, 8, 16)


def theorem(given: Given) -> None:
    """Measure the error of the mean-inverse swap against d and damping (Theorem 1)."""
    style = format_of(given)
    from datainf.experiments import theorem as job
    from datainf.experiments import theorem_page as pages

    # Without a model for classifiers: the gradients of the demo's language model.
    datasets = ("sst2",) if given["model"] else ("demo-lm",)
    study = _study(given, datasets, _ALL_RANKS)
    found = job.run(study, given["out"] or _OUT, progress=Bars())
    page = pages.page(found, command_of(job.NAME, given))
    figures = {job.NAME: pages.drawing(found)}
    _publish(given, job.NAME, page, figures, found.records)
    write_table(pages.summary(found), style)


def mislabeled(given: Given) -> None:
    """Compare all methods at finding flipped labels, with run times (Fig. 2, 6)."""
    style = format_of(given)
    from datainf.experiments import mislabeled as job
    from datainf.experiments import mislabeled_figures as drawn
    from datainf.experiments import mislabeled_page as pages

    study = _study(given)
    if study.preset == "small" and not given["ranks"]:
        study = replace(study, further_ranks=job.FURTHER_RANKS)
    found = job.run(study, given["out"] or _OUT, progress=Bars())
    page = pages.page(found, command_of(job.NAME, given))
    figures = {job.NAME: drawn.by_dataset(found), "methods": drawn.by_cost(found)}
    _publish(given, job.NAME, page, figures, found.records)
    write_table(pages.summary(found), style)


def filtered(given: Given) -> None:
    """Train again on the rows that each method keeps, and test (Fig. 7)."""
    style = format_of(given)
    from datainf.experiments import filtered as job
    from datainf.experiments import filtered_figures as drawn
    from datainf.experiments import filtered_page as pages

    asked = {} if given["keep"] is None else {"keep": given["keep"]}
    filtering = job.Filtering(**asked)
    study = _study(given, job.DATASETS)
    found = job.run(study, given["out"] or _OUT, filtering, progress=Bars())
    page = pages.page(found, command_of(job.NAME, given))
    records = found.measured.records
    _publish(given, job.NAME, page, {job.NAME: drawn.drawing(found)}, records)
    write_table(pages.summary(found), style)


def approximation(given: Given) -> None:
    """Correlate all methods with Eq. 2, by rank, noisy and clean (Fig. 1, 5)."""
    style = format_of(given)
    from datainf.experiments import approximation as job
    from datainf.experiments import approximation_page as pages

    study = _study(given, job.DATASETS, _ALL_RANKS)
    found = job.run(study, given["out"] or _OUT, progress=Bars())
    page = pages.page(found, command_of(job.NAME, given))
    figures = {job.NAME: pages.drawing(found)}
    _publish(given, job.NAME, page, figures, found.records)
    write_table(pages.summary(found), style)


def text_generation(given: Given) -> None:
    """Compare all methods at finding the query's class in generated text (Table 2)."""
    style = format_of(given)
    from datainf.experiments import text_generation as job
    from datainf.experiments import text_generation_figures as drawn
    from datainf.experiments import text_generation_page as pages
    from datainf.experiments.presets import TEXT_PRESETS

    study = _study(given, presets=TEXT_PRESETS)
    found = job.run(study, given["out"] or _OUT, progress=Bars())
    page = pages.page(found, command_of(job.NAME, given))
    _publish(given, job.NAME, page, {job.NAME: drawn.drawing(found)}, found.records)
    write_table(pages.summary(found), style)


def text_to_image(given: Given) -> None:
    """Compare all methods at finding the query's class among pictures (Table 2)."""
    style = format_of(given)
    from datainf.experiments import text_to_image as job
    from datainf.experiments import text_to_image_figures as drawn
    from datainf.experiments import text_to_image_page as pages
    from datainf.experiments.presets import IMAGE_PRESETS

    study = _study(given, presets=IMAGE_PRESETS)
    found = job.run(study, given["out"] or _OUT, progress=Bars())
    page = pages.page(found, command_of(job.NAME, given))
    _publish(given, job.NAME, page, drawn.figures(found), found.records)
    write_table(pages.summary(found), style)


def counterfactual(given: Given) -> None:
    """Judge all methods by retraining: LDS, leaving out, dropping proponents."""
    style = format_of(given)
    from datainf.experiments import counterfactual as job
    from datainf.experiments import counterfactual_figures as drawn
    from datainf.experiments import counterfactual_page as pages
    from datainf.experiments.judged import judged_study

    study = judged_study(
        given["preset"] or "small",
        model=given["model"],
        data_dir=given["data_dir"],
        judged=tuple(_split(given["datasets"])),
        subsets=given["subsets"],
        twins=given["twins"],
        workers=given["workers"],
    )
    found = job.run(study, given["out"] or _OUT, progress=Bars())
    page = pages.page(found, command_of(job.NAME, given))
    _publish(given, job.NAME, page, drawn.figures(found), found.records)
    write_table(pages.summary(found), style)


def _publish(
    given: Given,
    name: str,
    page: str,
    figures: Mapping[str, str],
    records: "Records",
) -> None:
    """Write page, figures and records, and tell where."""
    from datainf.experiments.publish import publish

    folder = given["publish"] or given["out"] or _OUT
    found = publish(name, page=page, figures=figures, records=records, folder=folder)
    tell(f"page: {found}")


def command_of(name: str, given: Given) -> str:
    """Write the command that was typed, with names for places on this machine.

    Args:
        name: Of the experiment.
        given: The flags.

    Returns:
        One line.

    Examples:
        >>> command_of("theorem", Given({"model": "/home/me/bert", "seeds": 2}))
        'datainf reproduce theorem --model MODEL --seeds 2'
    """
    words = ["datainf reproduce", name]
    for flag, value in given.values.items():
        if flag not in ("out", "format", "traceback"):
            said = f"{value:g}" if isinstance(value, float) else str(value)
            words += [f"--{flag.replace('_', '-')}", _PLACES.get(flag, said)]
    return " ".join(words)


def _study(
    given: Given,
    datasets: tuple[str, ...] = (),
    ranks: tuple[int, ...] = (),
    presets: "Mapping[str, Study] | None" = None,
) -> "Study":
    """Take the preset and what was replaced; an experiment's own choice in between."""
    from datainf.experiments.presets import PRESETS, study_of

    preset = given["preset"] or "small"
    own = preset == "small"
    asked = tuple(_split(given["datasets"]))
    return study_of(
        preset,
        model=given["model"],
        data_dir=given["data_dir"],
        datasets=asked or (datasets if own else ()),
        ranks=_ranks(given["ranks"]) or (ranks if own else ()),
        seeds=given["seeds"],
        rows=given["train_rows"],
        epochs=_epochs(given["epochs"]),
        workers=given["workers"],
        presets=presets or PRESETS,
    )


def _split(text: Any) -> list[str]:
    return [part.strip() for part in (text or "").split(",") if part.strip()]


def _ranks(text: Any) -> tuple[int, ...]:
    """Read `--ranks`."""
    try:
        return tuple(int(part) for part in _split(text))
    except ValueError as error:
        raise OptionError(
            f"--ranks must be whole numbers such as 1,4,16, got {text!r}."
        ) from error


def _epochs(given: Any) -> int | None:
    """Read `--epochs`, which elsewhere may be broken."""
    if given is not None and given != int(given):
        raise OptionError(f"--epochs must be a whole number here, got {given:g}.")
    return None if given is None else int(given)
