"""What tests of evaluation share: a judged run on tiny models."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from datainf.core.evaluate_options import EvaluateOptions
from datainf.core.run_config import DataConfig, RunConfig
from datainf.workflows.run_file import read_run
from tests.workflows.run_folders import Folders

OPTIONS: dict[str, Any] = {
    "subsets": 3,
    "twins": 0,
    "remove": [0.3],
    "methods": ["dot"],
}


def judged(folders: Folders, out: Path, **options: Any) -> RunConfig:
    """Make a run that judges the adapter of some folders."""
    return replace(
        read_run(folders.adapter),
        adapter=folders.adapter,
        queries=DataConfig(data=folders.queries),
        evaluate=EvaluateOptions(**{**OPTIONS, **options}),
        out=str(out),
    )


def results(out: Path) -> dict[str, bytes]:
    """Read the finished retrainings of a run, by name."""
    found = (out / "retrained").glob("*/*.json")
    return {path.name: path.read_bytes() for path in found if path.name != "about.json"}
