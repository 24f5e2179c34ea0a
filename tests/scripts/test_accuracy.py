"""The share of rows that a classifier gets right, against one forward pass a row."""

import torch

from datainf.core.recipe import Recipe
from datainf.core.run_config import RunConfig
from datainf.integrations.tasks.sequence_classification import SequenceClassification
from datainf.integrations.trainer import train
from datainf.workflows.run_file import write_run
from scripts.accuracy import main
from tests.tiny_models import tiny_bert_classifier, tiny_tokenizer

ROWS = [{"text": "ab" * (i % 5 + 1), "label": i % 3} for i in range(53)]


def test_both_shares_are_those_of_a_loop(tmp_path, capsys):
    tokenizer = tiny_tokenizer()
    tiny_bert_classifier(3).bert.save_pretrained(tmp_path / "base")
    tokenizer.save_pretrained(tmp_path / "base")
    task = SequenceClassification(tokenizer, num_labels=3)
    out, data = tmp_path / "adapter", tmp_path / "rows.csv"
    recipe = Recipe(peft={"r": 2}, training={"max_steps": 1})
    base = tiny_bert_classifier(3)
    base.config._name_or_path = str(tmp_path / "base")
    model = train(base, ROWS, task, recipe, out=out)
    write_run(RunConfig(model=str(tmp_path / "base"), task=task.settings()), out)
    lines = [f"{row['text']},{row['label']}" for row in ROWS]
    data.write_text("\n".join(["text,label", *lines]))
    with torch.no_grad():
        found = [
            int(model(**{k: v for k, v in task.collate([row]).items() if k != "labels"})
                .logits.argmax()) == row["label"]
            for row in ROWS
        ]  # fmt: skip
    main([str(out), str(data)])
    said = capsys.readouterr().out.split()
    assert said == ["accuracy", f"{sum(found) / 53:.3f}", "largest", "class", "0.340"]
