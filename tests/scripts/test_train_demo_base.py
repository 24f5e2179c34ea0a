"""Base model: the tokenizer reads what the demo writes; training writes a folder."""

from random import Random

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from datainf.experiments.data.math_problems import math_problems
from datainf.experiments.data.sentence_transformations import sentence_transformations
from datainf.experiments.data.skills import draw_practice, draw_skills
from datainf.experiments.demo import BASE as SHIPPED
from scripts import train_demo_base


@pytest.mark.parametrize("wording", ["paper", "shared"])
def test_tokenizer_gives_one_token_a_character_and_loses_none(wording):
    tokenizer = train_demo_base.build_tokenizer()
    rows = sentence_transformations(5, 0, wording=wording)[0]
    rows += math_problems(5, 0, wording=wording)[0]
    for row in rows:
        text = row["prompt"] + row["completion"]
        ids = tokenizer(text)["input_ids"]
        assert len(ids) == len(text)
        assert tokenizer.unk_token_id not in ids
        assert tokenizer.decode(ids) == text


def test_labels_are_the_completion_and_its_end():
    tokenizer = train_demo_base.build_tokenizer()
    ids, labels = train_demo_base.encode(tokenizer, [("ab", "c"), ("a", "bcd")])
    assert ids.shape == labels.shape == (2, 5)
    eos, pad = tokenizer.eos_token_id, tokenizer.pad_token_id
    code = tokenizer.get_vocab()
    none = train_demo_base.IGNORED
    assert ids.tolist() == [
        [code["a"], code["b"], code["c"], eos, pad],
        [code["a"], code["b"], code["c"], code["d"], eos],
    ]
    assert labels.tolist() == [
        [none, none, code["c"], eos, none],
        [none, code["b"], code["c"], code["d"], eos],
    ]


def test_main_writes_a_base_that_transformers_loads(tmp_path, capsys):
    train_demo_base.main(["--out", str(tmp_path), "--steps", "2", "--batch-size", "3"])
    assert "step 2/2" in capsys.readouterr().err
    model = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert {p.dtype for p in model.parameters()} == {torch.float16}
    text = "ka mo: One 1 c*t\n"
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_shipped_base_is_small_and_has_practised():
    size = sum(path.stat().st_size for path in SHIPPED.iterdir())
    assert size <= 4 * 2**20
    tokenizer = AutoTokenizer.from_pretrained(SHIPPED)
    assert tokenizer.get_vocab() == train_demo_base.build_tokenizer().get_vocab()
    model = AutoModelForCausalLM.from_pretrained(SHIPPED).float()
    rng, skills = Random(12345), draw_skills()
    rows = [draw_practice(rng, skills) for _ in range(100)]
    ids, labels = train_demo_base.encode(tokenizer, rows)
    with torch.no_grad():
        loss = model(input_ids=ids, labels=labels).loss
    assert loss < 0.1
