"""The study of `clean --retrain`: every seed measured once, then averaged."""

import json
import re

import pandas as pd
import pytest

from datainf.evaluation.seeds import seed_mean
from scripts import clean_study
from tests.tiny_models import tiny_bert_classifier, tiny_tokenizer


def put(path, noun, count):
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [f"{'good' if i % 2 else 'bad'} {noun} {i}\t{i % 2}" for i in range(count)]
    path.write_text("\n".join(["sentence1\tlabel", *rows, ""]), encoding="utf-8")


def test_a_study_measures_each_seed_once_and_goes_on(tmp_path, capsys, monkeypatch):
    tiny_bert_classifier(2).bert.save_pretrained(tmp_path / "base")
    tiny_tokenizer().save_pretrained(tmp_path / "base")
    put(tmp_path / "data" / "sst2" / "train.tsv", "film", 23)
    put(tmp_path / "data" / "sst2" / "val.tsv", "show", 127)
    asked = [
        *("--model", str(tmp_path / "base"), "--data-dir", str(tmp_path / "data")),
        *("--datasets", "sst2", "--seeds", "1", "--train-rows", "17", "--epochs", "1"),
        *("--method", "dot", "--out", str(tmp_path / "out")),
    ]
    clean_study.main(asked)
    said = capsys.readouterr().out
    told = json.loads(
        (tmp_path / "out" / "sst2-s0" / "better.jsonl.clean.json").read_text()
    )
    assert len(told["rows"]) == 3
    assert told["bought"]["test_rows"] == 127 - 120
    assert {(e["measure"], e["change"]) for e in told["bought"]["effects"]} == {
        (measure, change)
        for measure in ("accuracy", "loss")
        for change in ("after", "oracle")
    }
    assert re.search(r"sst2\s+accuracy\s+oracle", said)

    def never(*_, **__):
        raise AssertionError

    monkeypatch.setattr(clean_study, "_measure", never)
    clean_study.main(asked)
    assert capsys.readouterr().out == said


def test_the_summary_is_the_mean_over_seeds():
    effects = [0.5, 0.25, -0.25]
    table = pd.DataFrame(
        {
            "dataset": "sst2",
            "seed": seed,
            "measure": "accuracy",
            "change": "after",
            "before": 0.25,
            "after": 0.25 + effect,
            "effect": effect,
        }
        for seed, effect in enumerate(effects)
    )
    (row,) = clean_study.summary(table).to_dict(orient="records")
    assert (row["low"], row["high"]) == seed_mean(effects)[1:]
    assert row["effect"] == pytest.approx(1 / 6)
    assert (row["before"], row["after"]) == pytest.approx((0.25, 0.25 + 1 / 6))
    assert row["seeds"] == 3
