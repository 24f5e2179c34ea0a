"""What doctor finds about the machine: versions, threads, memory, disk."""

import os
import re
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from datainf.workflows.doctor import machine
from datainf.workflows.findings import Finding

PACKAGES = ["python", "torch", "transformers", "peft", "datasets"]
MACHINE = [*PACKAGES, "accelerator", "threads", "memory", "disk"]


def told(findings: list[Finding]) -> dict[str, tuple[str, str]]:
    assert len({one.check for one in findings}) == len(findings)
    return {one.check: (one.state, one.found) for one in findings}


def on_this_machine(out: str | Path = ".") -> dict[str, tuple[str, str]]:
    return told(list(machine(Path(out))))


def test_the_machine_is_told_by_its_versions_threads_memory_and_disk(tmp_path):
    found = on_this_machine(tmp_path / "not" / "there" / "yet")
    assert found["torch"] == ("ok", torch.__version__)
    assert re.fullmatch(r"3\.\d+\.\d+", found["python"][1])
    assert re.fullmatch(r"1 of \d+ cores", found["threads"][1])
    assert re.fullmatch(r"[\d.]+ [GT]iB", found["memory"][1])
    assert re.fullmatch(
        rf"[\d.]+ \wiB free for {tmp_path}/not/there/yet(; .+)?", found["disk"][1]
    )


def test_a_missing_package_is_to_be_installed(monkeypatch):
    def version(name):
        if name == "peft":
            raise PackageNotFoundError(name)
        return {"torch": "2.5.1+cpu", "rich": "2.0"}.get(name, "99.0")

    needs = ["torch>=2.6", "peft>=0.14", "rich>=13.0", 'ruff>=0.12; extra == "dev"']
    monkeypatch.setattr("datainf.workflows.doctor.requires", lambda _: needs)
    monkeypatch.setattr("datainf.workflows.doctor.version", version)
    found = on_this_machine()
    assert found["torch"] == ("fix", "2.5.1+cpu is too old; pip install 'torch>=2.6'")
    assert found["peft"] == ("fix", "not installed; pip install 'peft>=0.14'")
    assert found["rich"] == ("fix", "2.0 is too old; pip install 'rich>=13.0'")
    assert found["datasets"] == ("ok", "99.0")
    assert "ruff" not in found


def test_run_from_its_source_it_knows_no_versions_to_ask_for(monkeypatch):
    def requires(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr("datainf.workflows.doctor.requires", requires)
    assert list(on_this_machine()) == MACHINE


@pytest.mark.parametrize(
    ("there", "text"), [(False, "none, the CPU computes"), (True, "cuda:0")]
)
def test_the_accelerator_is_named_where_there_is_one(monkeypatch, there, text):
    # A build for CUDA names its device on machines without one too.
    built_for = torch.device("cuda", 0)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: built_for)
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: there)
    assert on_this_machine()["accelerator"] == ("ok", text)


@pytest.mark.parametrize(
    ("cores", "expected"),
    [
        (7, ("ok", "5 of 7 cores")),
        (5, ("ok", "5 of 5 cores")),
        (3, ("note", "5 of 3 cores; set OMP_NUM_THREADS to the cores you have")),
        (None, ("note", "5 of 1 cores; set OMP_NUM_THREADS to the cores you have")),
    ],
)
def test_more_threads_than_cores_are_noted(monkeypatch, cores, expected):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 5)
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    assert on_this_machine()["threads"] == expected


@pytest.mark.parametrize(
    ("free", "expected"),
    [
        (5 * 2**30, ("ok", "5.0 GiB free for runs")),
        (2**30, ("note", "1.0 GiB free for runs; --dry-run tells what a run needs")),
    ],
)
def test_a_full_disk_is_noted(monkeypatch, tmp_path, free, expected):
    asked = []

    def usage(path):
        asked.append(Path(path))
        return SimpleNamespace(free=free)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("shutil.disk_usage", usage)
    assert on_this_machine("runs")["disk"] == expected
    # The nearest folder that is there: where the run's own would be made.
    assert asked == [tmp_path]
