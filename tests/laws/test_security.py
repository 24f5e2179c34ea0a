"""Nothing that is only read may run, and no name in a file leads out of its folder."""

import ast
import csv
import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from peft import PromptTuningConfig, get_peft_model
from safetensors.torch import load_file

from tests.cli.command import datainf, refused
from tests.fault_places import SAID, adapters, bases, hostile, lines
from tests.integrations.saved_adapters import WEIGHTS, change, loaded

pytestmark = pytest.mark.filterwarnings(
    "ignore:Unsupported layer type:UserWarning",  # peft's, of layer norms
)
PACKAGE = Path(__file__).resolve().parents[2] / "src" / "datainf"
SOURCES = sorted(PACKAGE.rglob("*.py"))
PICKLERS = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"}
# What a run's own processes tell each other, packed as multiprocessing does it.
AMONG_PROCESSES = {"workflows/workers.py": ["pickle"]}
# Calls that run what they read; torch.load alone may be asked not to.
RUNNING = {
    *("eval", "exec", "compile", "__import__", "os.system", "os.popen"),
    *("yaml.load", "yaml.load_all", "yaml.unsafe_load", "yaml.full_load"),
    *("np.load", "numpy.load", "pd.read_pickle", "pandas.read_pickle", "torch.save"),
}


def running(source: str) -> Iterator[str]:
    """Name what in a source could run data, or write a pickle."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = {alias.name.partition(".")[0] for alias in node.names}
            yield from sorted(names & {*PICKLERS, "subprocess"})
        elif isinstance(node, ast.ImportFrom) and node.module in PICKLERS:
            names = {alias.name for alias in node.names}
            yield from sorted(names - {"UnpicklingError"})
        elif isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            options = {k.arg: ast.unparse(k.value) for k in node.keywords}
            if name == "torch.load" and options.get("weights_only") != "True":
                yield name
            if name in RUNNING or name.endswith(".to_pickle"):
                yield name
            if options.get("trust_remote_code") == "True":
                yield f"{name}(trust_remote_code=True)"
            if options.get("allow_pickle", "False") != "False":
                yield f"{name}(allow_pickle)"


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_no_source_runs_what_it_reads(path):
    allowed = AMONG_PROCESSES.get(path.relative_to(PACKAGE).as_posix(), [])
    assert list(running(path.read_text(encoding="utf-8"))) == allowed


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import pickle.x", ["pickle"]),
        ("from pickle import loads, UnpicklingError", ["loads"]),
        ("torch.load(path)", ["torch.load"]),
        ("torch.load(path, weights_only=False)", ["torch.load"]),
        ("torch.load(path, weights_only=True)", []),
        ("yaml.load(text)", ["yaml.load"]),
        ("yaml.safe_load(text)", []),
        ("model.eval()", []),
        ("eval(text)", ["eval"]),
        ("np.load(p, allow_pickle=True)", ["np.load", "np.load(allow_pickle)"]),
        ("f(trust_remote_code=True)", ["f(trust_remote_code=True)"]),
        ("f(trust_remote_code=asked)", []),
        ("frame.to_pickle(path)", ["frame.to_pickle"]),
    ],
)
def test_the_check_sees_what_would_run(source, found):
    assert list(running(source)) == found


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("security")
    at = bases(folder)
    at |= adapters(folder, at)
    at |= {**hostile(folder, at), "rows": lines(folder / "rows.jsonl", SAID)}
    with pytest.MonkeyPatch.context() as patch:
        # transformers copies a model's code into its cache, and imports it from there.
        cache = str(folder / "modules")
        patch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", cache)
        patch.setattr(sys, "path", [*sys.path])
        yield at


@pytest.fixture
def at(place):
    place["marker"].unlink(missing_ok=True)
    return place


def collect(at, out, adapter="lm", base=None, *more):
    named = () if base is None else ("--model", at[base])
    return (
        *("collect", "--adapter", at[adapter], "--data", at["rows"], "--out", out),
        *named,
        *more,
    )


def test_the_markers_would_be_seen(at):
    torch.load(at["pickled_base"] / "pytorch_model.bin", weights_only=False)
    assert at["marker"].exists()


@pytest.mark.parametrize(
    ("adapter", "base", "what"),
    [
        ("pickled", None, "the weights of the adapter {pickled} are a pickled file "),
        (
            "lm",
            "pickled_base",
            "the weights of the model {pickled_base} are a pickled ",
        ),
    ],
)
def test_a_pickle_of_more_than_tensors_is_not_unpickled(
    at, tmp_path, adapter, base, what
):
    said = refused(*collect(at, tmp_path / "out", adapter, base))
    assert said.startswith(what.format(**at))
    assert not at["marker"].exists()


def test_a_pickle_of_tensors_alone_is_read(at, tmp_path):
    old = {"old": tmp_path / "old", "rows": at["rows"]}
    shutil.copytree(at["lm"], old["old"])
    torch.save(load_file(old["old"] / WEIGHTS), old["old"] / "adapter_model.bin")
    (old["old"] / WEIGHTS).unlink()
    ran = datainf(*collect(old, tmp_path / "out", "old"))
    assert ran.code == 0, ran.err


@pytest.mark.parametrize(
    ("base", "what"), [("coded_base", "model"), ("coded_tokenizer_base", "tokenizer")]
)
def test_code_of_a_base_runs_only_where_it_is_trusted(at, tmp_path, base, what):
    typed = collect(at, tmp_path / "out", "lm", base)
    assert refused(*typed) == (
        f"the {what} {at[base]} comes with Python code, which runs only where you say "
        "so: read it, then give --trust-remote-code, or trust_remote_code: true in "
        "run.yaml."
    )
    assert not at["marker"].exists()
    ran = datainf(*typed, "--trust-remote-code")
    assert ran.code == 0, ran.err
    assert at["marker"].exists()


def test_the_run_beside_an_adapter_cannot_trust_for_the_user(at, tmp_path):
    there = {"lm": tmp_path / "lm", "rows": at["rows"]}
    shutil.copytree(at["lm"], there["lm"])
    run = {"model": str(at["coded_base"]), "trust_remote_code": True}
    (there["lm"] / "run.yaml").write_text(json.dumps(run), encoding="utf-8")
    assert refused(*collect(there, tmp_path / "out")).startswith(
        f"the model {at['coded_base']} comes with Python code, "
    )
    assert not at["marker"].exists()


def test_the_tokenizer_beside_an_adapter_cannot_run_code(at, tmp_path):
    there = {"lm": tmp_path / "lm", "rows": at["rows"]}
    shutil.copytree(at["lm"], there["lm"])
    for name in ("own.py", "tokenizer.json", "tokenizer_config.json"):
        shutil.copy(at["coded_tokenizer_base"] / name, there["lm"])
    assert refused(*collect(there, tmp_path / "out")).startswith(
        f"the tokenizer {there['lm']} comes with Python code, "
    )
    assert not at["marker"].exists()


def test_the_tokenizer_that_a_prompt_was_made_with_cannot_run_code(at, tmp_path):
    config = PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3)
    model = get_peft_model(loaded(at["base"], head=False), config)
    model.save_pretrained(tmp_path / "prompt")
    change(
        tmp_path / "prompt",
        "adapter_config.json",
        {
            "prompt_tuning_init": "TEXT",
            "prompt_tuning_init_text": "say",
            "tokenizer_name_or_path": str(at["coded_tokenizer_base"]),
            "tokenizer_kwargs": {"trust_remote_code": True},
        },
    )
    there = {"lm": tmp_path / "prompt", "rows": at["rows"]}
    assert datainf(*collect(there, tmp_path / "out")).code == 0
    assert not at["marker"].exists()


@pytest.mark.parametrize(
    "name",
    [
        "../other/shard-00000.safetensors",
        "/tmp/shard-00000.safetensors",
        "shard-00000.safetensors/../../x",
        "shard-00000.safetensors\0",
        "shard-00000.safetensors\n",
        "SHARD-00000.safetensors",
        "shard-000000.safetensors",
    ],
)
def test_a_manifest_cannot_name_a_file_elsewhere(at, tmp_path, name):
    assert datainf(*collect(at, tmp_path / "store")).code == 0
    path = tmp_path / "store" / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["shards"][0]["name"] = name
    path.write_text(json.dumps(manifest), encoding="utf-8")
    said = refused("inspect", tmp_path / "store")
    assert said.startswith(f"{path} is refused: ")


def test_a_link_in_a_store_leads_to_the_very_bytes_or_is_refused(at, tmp_path):
    store = tmp_path / "store"
    assert datainf(*collect(at, store)).code == 0
    shard, elsewhere = store / "shard-00000.safetensors", tmp_path / "elsewhere"
    shard.rename(elsewhere)
    os.symlink(elsewhere, shard)
    assert datainf("verify", store).code == 0
    data = bytearray(elsewhere.read_bytes())
    data[-1] ^= 1
    elsewhere.write_bytes(data)
    assert datainf("verify", store).code == 2


def test_what_runs_leave_holds_no_pickle_and_no_formula(at, tmp_path):
    rows = [*SAID, {"prompt": "=1+1", "completion": "=HYPERLINK(A1)"}]
    data = lines(tmp_path / "rows.jsonl", rows)
    for command, flag in (("attribute", "--queries"), ("mislabeled", "--validation")):
        ran = datainf(
            *(command, "--adapter", at["lm"], "--train", data, flag, data),
            *("--out", tmp_path / "out"),
        )
        assert ran.code == 0, ran.err
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert {path.suffix or path.name for path in files} == {
        *(".csv", ".html", ".json", ".lock", ".parquet", ".safetensors", ".yaml"),
    }
    # A pickle's first byte, and that of the archive torch.save makes.
    assert [
        p for p in files if p.read_bytes()[:2] in (b"\x80\x02", b"\x80\x04", b"PK")
    ] == []
    table = (tmp_path / "out" / "mislabeled.csv").read_text(encoding="utf-8")
    cells = [cell for row in csv.reader(table.splitlines()) for cell in row]
    assert "'=HYPERLINK(A1)" in cells
    assert "'=1+1 → =HYPERLINK(A1)" in cells
    assert [cell for cell in cells if cell[:1] in ("=", "@", "+")] == []
