"""Every fault is one line that says what to do, before any gradient is computed."""

import json
import shutil

import pandas as pd
import pytest
import torch

from datainf.core.options import Order
from datainf.core.records import Scores
from datainf.estimators.table import METHODS
from tests.cli.command import datainf, refused
from tests.fault_places import FILMS, SAID, lines, places
from tests.fault_table import ELSEWHERE, REFUSED, WARNED, WORKS
from tests.faults import END, PAGE, START, tables

pytestmark = pytest.mark.filterwarnings(
    "ignore:Unsupported layer type:UserWarning",  # peft's, of layer norms
)


@pytest.fixture(scope="module")
def at(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faults")
    found = places(folder)
    yield found
    shutil.rmtree(folder)


@pytest.fixture
def here(at, tmp_path):
    return {**at, "out": tmp_path / "out"}


def typed(line, here):
    return [word.format(**here) for word in line.split()]


@pytest.mark.parametrize("fault", REFUSED, ids=lambda fault: fault.what)
def test_a_fault_is_one_line_before_any_gradient(here, fault):
    held = here["s_lm"].stat().st_mtime_ns
    ran = datainf(*typed(fault.typed, here))
    last = ran.err.splitlines()[-1]
    assert last == f"datainf: error: {fault.says.format(**here)}"
    assert ran.err.count("datainf:") == 1
    assert (ran.code, ran.out) == (2, "")
    assert "Traceback" not in ran.err
    assert "gradients ━" not in ran.err
    assert not here["out"].exists()
    assert here["s_lm"].stat().st_mtime_ns == held


@pytest.mark.parametrize("fault", WARNED, ids=lambda fault: fault.what)
def test_what_is_done_all_the_same_is_said_in_one_line(here, fault):
    ran = datainf(*typed(fault.typed, here))
    said = [line for line in ran.err.splitlines() if line.startswith("datainf:")]
    assert said == [f"datainf: warning: {fault.says.format(**here)}"]
    assert ran.code == 0
    assert (here["out"] / "manifest.json").is_file()


def everything(here, rows, queries, adapter="lm"):
    """Attribute by every method and rank suspects; give the scores by method."""
    found = {}
    for method, entry in METHODS.items():
        if entry.cls.needs_moments:  # which no adapter alone has
            continue
        # Gradients of losses and of margins do not lie in one folder.
        out = here["out"] / entry.cls.output
        ran = datainf(
            *("attribute", "--adapter", here[adapter], "--train", rows),
            *("--queries", queries, "--out", out, "--method", method),
            *("--output", entry.cls.output),
        )
        assert ran.code == 0, ran.err
        assert (out / "report.html").is_file()
        found[method] = Scores.load(out / "scores")
        assert torch.tensor(found[method].values).isfinite().all()
    ran = datainf(
        *("mislabeled", "--adapter", here[adapter], "--train", rows),
        *("--validation", queries, "--out", here["out"]),
    )
    assert ran.code == 0, ran.err
    return found


def test_one_row_is_attributed_by_every_method_alike(here):
    found = everything(here, here["one"], here["one"])
    assert found["datainf"].values == pytest.approx(found["exact"].values, rel=1e-4)
    assert found["cosine"].values == pytest.approx(-1, abs=1e-5)
    ranking = pd.read_csv(here["out"] / "mislabeled.csv")
    assert ranking[["rank", "index", "text"]].values.tolist() == [[1, 0, "say a →  no"]]


def test_duplicated_rows_get_the_scores_of_their_first(here):
    for method, scores in everything(here, here["twice"], here["queries"]).items():
        assert scores.values[:, 7:] == pytest.approx(
            scores.values[:, :2], rel=1e-4, abs=1e-6
        ), method


def test_there_may_be_more_queries_than_training_rows(here):
    for scores in everything(here, here["two"], here["rows"]).values():
        assert scores.values.shape == (7, 2)


def test_a_path_may_hold_spaces_and_names_that_are_not_ascii(here, tmp_path):
    folder = tmp_path / "mit Leerzeichen ü 東 'q' [b]"
    folder.mkdir()
    for name in ("base", "lm"):
        shutil.copytree(here[name], folder / f"{name} é")
    named = {"base": folder / "base é", "lm": folder / "lm é", "out": folder / "aus ß"}
    rows = lines(folder / "zeilen ñ.jsonl", SAID)
    config = named["lm"] / "adapter_config.json"
    told = {
        **json.loads(config.read_text()),
        "base_model_name_or_path": str(named["base"]),
    }
    config.write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8")
    everything(named, rows, rows)
    ran = datainf("mislabeled", named["out"], "--out", folder / "again å")
    assert ran.code == 0, ran.err  # what was left replays itself
    again = (folder / "again å" / "mislabeled.csv").read_text(encoding="utf-8")
    assert again == (named["out"] / "mislabeled.csv").read_text(encoding="utf-8")


def test_an_embedding_may_be_padded_beyond_the_tokenizer(here):
    everything(here, here["rows"], here["queries"], adapter="padded")


def test_gradients_that_are_all_zero_give_scores_of_zero(here):
    for scores in everything(here, here["rows"], here["queries"], "zero").values():
        assert (scores.values == 0).all()
    ran = datainf(
        *("attribute", "--adapter", here["zero"], "--train", here["rows"]),
        *("--queries", here["queries"], "--out", here["out"]),
    )
    assert "note: 8 of 8 curvature groups have only zero gradients" in ran.err


def test_nul_bytes_and_half_surrogate_pairs_go_through_everything(here):
    for scores in everything(here, here["nasty"], here["nasty"]).values():
        text = scores.train["text"][7]
        assert "nul \0, half \ufffd, " in text
    report = (here["out"] / "report.html").read_text(encoding="utf-8")
    assert "\0" not in report
    assert "<script>, ü, 東" not in report
    # The C parser of pandas stops at a NUL byte.
    ranking = pd.read_csv(here["out"] / "mislabeled.csv", engine="python")
    assert len(ranking) == 8
    for style in ("json", "csv", "table"):
        ran = datainf("top", here["out"], "--format", style)
        assert ran.code == 0, ran.err
        ran.out.encode()


# --- the same from Python -----------------------------------------------------------


@pytest.fixture(scope="module")
def model(at):
    from datainf.integrations.adapters import load_adapter

    return load_adapter(str(at["lm"]))


def said_by(error, call):
    with pytest.raises(error) as caught:
        call()
    return str(caught.value)


def test_python_says_the_same(model, at, tmp_path):
    import datainf as library

    adapted, tokenizer = model
    task = library.CausalLM(tokenizer)

    def collect(rows, by=adapted, task=task, **options):
        return lambda: library.collect(by, rows, task, out=tmp_path / "out", **options)

    base = adapted.get_base_model()
    for error, call, message in (
        (
            library.AdapterError,
            collect(SAID, base),
            "got a LlamaForCausalLM without a PEFT adapter; load one with "
            "peft.PeftModel.from_pretrained(model, ADAPTER).",
        ),
        (
            library.DataError,
            collect([]),
            "the data hold no example; give at least one.",
        ),
        (
            library.DataError,
            collect(SAID[0]),
            "examples must have a length and be read by number, got a dict; make it a "
            "list or a datasets.Dataset.",
        ),
        (
            library.OptionError,
            collect(SAID, batch_token=3),
            "option 'batch_token' is unknown: expected one of: dtype, project, "
            "project_seed, parameters, output, samples, sample_seed, batch_tokens, "
            "shard_rows, store_text, on_nonfinite, reuse, factors; did you mean "
            "'batch_tokens'?.",
        ),
        (
            library.AdapterError,
            collect(FILMS, task=library.SequenceClassification(tokenizer)),
            "the adapter was trained for CAUSAL_LM, the task sequence-classification "
            "needs SEQ_CLS; use the task causal-lm.",
        ),
        (
            library.StoreError,
            lambda: library.score(
                library.open_store(at["s_lm"]), library.open_store(at["s_other"])
            ),
            "the training gradients and the queries do not belong together: another "
            "adapter; collect both with the same model, adapter and task.",
        ),
    ):
        assert said_by(error, call) == message
    assert not (tmp_path / "out").exists()


def test_python_attributes_half_surrogate_pairs(model):
    import datainf as library

    adapted, tokenizer = model
    rows = [*SAID, {"prompt": "a\ud83d", "completion": "=b\ud83d"}]
    scores = library.attribute(adapted, rows, rows[-1:], library.CausalLM(tokenizer))
    assert scores.train["text"][7] == "a\ufffd → =b\ufffd"
    best = scores.top(8, Order.MAGNITUDE)
    assert set(best["train"]) == set(range(8))


# --- the page -----------------------------------------------------------------------


def test_the_committed_tables_are_not_stale():
    text = PAGE.read_text(encoding="utf-8")
    committed = text.partition(START)[2].partition(END)[0].strip()
    assert committed == tables(), "run `python -m tests.faults`"


def test_no_fault_is_listed_twice_and_every_pointer_leads_somewhere():
    names = [fault.what for fault in (*REFUSED, *WARNED)] + [*WORKS, *ELSEWHERE]
    assert len(set(names)) == len(names)
    root = PAGE.parents[1]
    assert [path for path in ELSEWHERE.values() if not (root / path).is_file()] == []


def test_a_fault_that_comes_late_would_be_seen(here):
    """The check of `refused` sees a store that was begun."""
    ran = datainf(*typed("collect --adapter {lm} --data {rows} --out {out}", here))
    assert "gradients ━" in ran.err
    assert here["out"].exists()
    again = typed("collect --adapter {lm} --data {queries} --out {out}", here)
    assert refused(*again).startswith(f"{here['out']} holds a store of something else")
