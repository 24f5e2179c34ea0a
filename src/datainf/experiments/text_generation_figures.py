"""The figure of `datainf reproduce text-generation`, drawn from its records."""

from datainf.experiments.cells import Measured
from datainf.experiments.class_finding_figure import detection
from datainf.experiments.text_generation_page import finding

_LEGEND = ("gradient of the completion", "of the prompt alone")


def drawing(measured: Measured) -> str:
    """Draw the AUC of every method by its own settings, task by task.

    Args:
        measured: The experiment.

    Returns:
        The SVG: a mark for each gradient, with its interval.
    """
    read = finding(measured)
    return detection(read, _LEGEND, baseline_sides=read.sides)
