"""The scripts of docs/walk.md run, and plant what the page says that they plant."""

import csv
import json
import subprocess
import sys

from datainf.experiments.demo import BASE
from scripts.run_notebooks import EXAMPLES
from tests.tiny_models import tiny_bert_classifier, tiny_tokenizer


def made_by(script, base, folder):
    subprocess.run(
        [sys.executable, str(EXAMPLES / "walk" / script), str(base), "--epochs", "1"],
        check=True,
        cwd=folder,
        capture_output=True,
    )


def test_the_shop_has_216_answers_of_which_30_are_wrong(tmp_path):
    made_by("shop.py", BASE, tmp_path)
    rows, asked = (
        [json.loads(line) for line in (tmp_path / name).read_text().splitlines()]
        for name in ("shop.jsonl", "questions.jsonl")
    )
    assert (len(rows), sum(row["wrong"] for row in rows), len(asked)) == (216, 30, 10)
    assert not {row["prompt"] for row in rows} & {row["prompt"] for row in asked}
    assert (tmp_path / "my-adapter" / "adapter_model.safetensors").is_file()


def test_a_tenth_of_the_tickets_is_filed_wrong(tmp_path):
    encoder = tmp_path / "encoder"
    tiny_bert_classifier().bert.save_pretrained(encoder)
    tiny_tokenizer().save_pretrained(encoder)
    made_by("tickets.py", encoder, tmp_path)
    with (tmp_path / "tickets.tsv").open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert (len(rows), sum(row["label"] != row["right"] for row in rows)) == (320, 32)
    assert (tmp_path / "tickets-adapter" / "adapter_model.safetensors").is_file()
