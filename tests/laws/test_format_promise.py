"""The promise of docs/store.md: which version of each format is read by whom."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from datainf.__about__ import __version__
from datainf.core import records, run_config
from datainf.core.canonical import canonical_json, sha256_of
from datainf.core.errors import OptionError, StoreError
from datainf.core.records import Scores
from datainf.core.store_dtype import StoreDtype
from datainf.store import manifest
from datainf.store.reader import open_store
from datainf.store.verify import verify
from datainf.workflows.run_file import read_run
from tests.golden.make_golden import FOLDER, RUN, SCORES, golden_store

PAGE = Path(__file__).resolve().parents[2] / "docs" / "store.md"
FORMATS = {
    "store": manifest.FORMAT_VERSION,
    "scores": records.SCORES_FORMAT,
    "run.yaml": run_config.RUN_FORMAT,
}


def promised() -> list[list[str]]:
    """The rows of the page's table of versions."""
    text = PAGE.read_text(encoding="utf-8")
    table = text.partition("| format | version |")[2].partition("\n\n")[0]
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in table.splitlines()[2:]
    ]


@pytest.mark.parametrize("name", FORMATS)
def test_the_page_promises_every_version_up_to_the_one_that_is_written(name):
    rows = [row for row in promised() if row[0] == name]
    assert [int(row[1]) for row in rows] == list(range(1, FORMATS[name] + 1))
    this = f"datainf {'.'.join(__version__.split('.')[:2])}"
    assert rows[-1][2] == this
    for _, _, writer, readers in rows:
        assert readers == f"{writer} and every later one"


def test_every_promised_version_is_read_from_a_file_that_is_kept():
    for name, version, *_ in promised():
        if name == "store":
            for dtype in StoreDtype:
                folder = FOLDER / f"store-v{version}-{dtype}"
                assert verify(folder).faults == ()
                assert len(open_store(folder)) > 0
        elif name == "scores":
            assert Scores.load(FOLDER / f"scores-v{version}").values.size > 0
        else:
            assert read_run(FOLDER / f"run-v{version}.yaml").out == "runs/x"


def test_a_newer_store_is_refused(tmp_path):
    shutil.copytree(golden_store(StoreDtype.FP32), tmp_path / "s")
    file = tmp_path / "s" / "manifest.json"
    value = json.loads(file.read_bytes())
    del value["checksum"]
    value["format_version"] = 2
    value["checksum"] = sha256_of(value)
    file.write_text(canonical_json(value), encoding="ascii")
    says = "it has format version '2', and this version of datainf reads 1"
    with pytest.raises(StoreError, match=says):
        open_store(tmp_path / "s")


def test_newer_scores_are_refused(tmp_path):
    shutil.copytree(SCORES, tmp_path / "s")
    file = tmp_path / "s" / "scores.json"
    value = json.loads(file.read_bytes()) | {"format": 2}
    file.write_text(json.dumps(value), encoding="utf-8")
    with pytest.raises(StoreError) as refused:
        Scores.load(tmp_path / "s")
    assert str(refused.value) == (
        f"{tmp_path / 's'} holds scores of format 2, this version reads 1; "
        "use the datainf that wrote them, or score the stores again."
    )


def test_a_newer_run_is_refused(tmp_path):
    value = yaml.safe_load(RUN.read_text(encoding="utf-8")) | {"format": 2}
    file = tmp_path / "run.yaml"
    file.write_text(yaml.safe_dump(value), encoding="utf-8")
    says = "run.yaml has format 2, this version reads 1"
    with pytest.raises(OptionError, match=says):
        read_run(file)
