"""What is shipped: wheel and sdist hold what they should, and nothing else."""

import importlib.util
import re
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.check_package import IN_SDIST, build, faults_of_sdist, faults_of_wheel

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Wheel and sdist of this source tree."""
    if importlib.util.find_spec("hatchling") is None:
        pytest.skip("hatchling is not installed; `make install` brings it")
    return build(tmp_path_factory.mktemp("dist"))


def rewritten(wheel: Path, to: Path, changed: dict[str, str | None]) -> Path:
    """Copy a wheel with some files changed, added, or (None) left out."""
    to = to / wheel.name
    with zipfile.ZipFile(wheel) as old, zipfile.ZipFile(to, "w") as new:
        texts: dict[str, Any] = {name: old.read(name) for name in old.namelist()}
        for name, text in {**texts, **changed}.items():
            if text is not None:
                new.writestr(name, text)
    return to


def test_nothing_is_wrong_with_wheel_and_sdist(built):
    wheel, sdist = built
    assert faults_of_wheel(wheel) == []
    assert faults_of_sdist(sdist) == []


def test_the_wheel_holds_types_format_templates_and_the_demo(built):
    with zipfile.ZipFile(built[0]) as opened:
        names = set(opened.namelist())
    assert names >= {
        "datainf/py.typed",
        "datainf/store/FORMAT.md",
        "datainf/reports/assets/report.css",
        "datainf/reports/templates/page.html.j2",
        "datainf/experiments/assets/demo-base/model.safetensors",
    }


def test_what_is_wrong_with_a_wheel_is_named(built, tmp_path):
    about = "datainf-0.1.0.dist-info"
    with zipfile.ZipFile(built[0]) as opened:
        metadata = opened.read(f"{about}/METADATA").decode()
    broken = rewritten(
        built[0],
        tmp_path,
        {
            "datainf/py.typed": None,
            "tests/test_fault.py": "",
            "datainf/fault.jsonl": "",
            f"{about}/licenses/LICENSE": None,
            f"{about}/entry_points.txt": "",
            f"{about}/METADATA": re.sub("Provides-Extra: ui\n", "", metadata),
        },
    )
    name = broken.name
    (*faults, extras) = faults_of_wheel(broken)
    assert faults == [
        f"{name} lacks datainf/py.typed",
        f"{name} holds datainf/fault.jsonl, which is no part of the package",
        f"{name} holds tests/test_fault.py, which is no part of the package",
        f"{name} lacks the licence",
        f"{name} has no command `datainf`",
    ]
    assert extras.startswith("METADATA: Provides-Extra is ['benchmarks', 'dev'")


def test_what_is_wrong_with_an_sdist_is_named(tmp_path, monkeypatch):
    broken = tmp_path / "datainf-0.1.0.tar.gz"
    with tarfile.open(broken, "w:gz") as opened:
        opened.addfile(tarfile.TarInfo("datainf-0.1.0/tests/test_fault.py"))
        for name in IN_SDIST - {"CITATION.cff"}:
            opened.addfile(tarfile.TarInfo(f"datainf-0.1.0/{name}"))
    monkeypatch.setattr("scripts.check_package.MOST_BYTES", 10)
    (*faults, size) = faults_of_sdist(broken)
    assert faults == [
        "datainf-0.1.0.tar.gz lacks CITATION.cff",
        "datainf-0.1.0.tar.gz holds tests, which nobody installs",
    ]
    assert size.endswith("MB, and may have 1e-05")


def test_the_citation_file_is_of_this_version_and_names_the_paper():
    said = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert said["cff-version"] == "1.2.0"
    assert {"message", "title", "authors"} <= said.keys()
    about = (ROOT / "src/datainf/__about__.py").read_text(encoding="utf-8")
    assert f'__version__ = "{said["version"]}"' in about
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f'license = "{said["license"]}"' in project
    (paper,) = said["references"]
    assert {"type", "title", "authors"} <= paper.keys()
    names = [author["family-names"] for author in paper["authors"]]
    assert names == ["Kwon", "Wu", "Wu", "Zou"]
    assert "arXiv:2310.00902" in {each["value"] for each in paper["identifiers"]}
