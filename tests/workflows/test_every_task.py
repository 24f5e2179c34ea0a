"""Every kind of adapter from a data file: trained, loaded again, attributed, ranked."""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from datasets import ClassLabel, Dataset, Features
from PIL import Image
from transformers import PreTrainedModel

from datainf.core.options import ScoreOptions
from datainf.core.questions import Entry
from datainf.core.run_config import DataConfig, RunConfig
from datainf.core.task import PicturedTask
from datainf.integrations.examples import load_examples
from datainf.workflows.asking import asking
from datainf.workflows.attribute import attribute
from datainf.workflows.doctor import examine
from datainf.workflows.mislabeled import mislabeled
from datainf.workflows.run_file import read_run, resolve
from datainf.workflows.runs import attribute_run
from datainf.workflows.subject import load_subject
from datainf.workflows.training import train_run
from tests.tiny_diffusion import DIFFUSERS, tiny_pipeline
from tests.tiny_models import (
    tiny_bart,
    tiny_bert_classifier,
    tiny_image_processor,
    tiny_t5,
    tiny_tokenizer,
    tiny_vit,
)
from tests.workflows.collecting import Told
from tests.workflows.run_folders import put_rows, recipe

pytestmark = pytest.mark.versions

N, Q = 7, 3
TEXTS = ["fine " * (i % 4 + 1) for i in range(N + Q)]


@dataclass(frozen=True)
class Kind:
    """A base, rows and what has to be said of them.

    Attributes:
        base: Makes the model that is trained.
        rows: N training rows, then Q queries.
        targets: Modules that are adapted.
        task: What run.yaml says of the task.
        settled: Some of what the run.yaml beside the adapter must say.
        shown: What doctor says of the first example.
    """

    base: Callable[[], PreTrainedModel]
    rows: Sequence[Mapping[str, Any]]
    targets: Sequence[str]
    task: Mapping[str, Any] = field(default_factory=dict)
    settled: Mapping[str, Any] = field(default_factory=dict)
    shown: str = ""
    processor: Callable[[], Any] = tiny_tokenizer
    put: Callable[[Path, Sequence[Mapping[str, Any]]], str] = put_rows
    ending: str = ".jsonl"


def picture(i: int) -> bytes:
    """A file of a striped image."""
    buffer = io.BytesIO()
    stripes = np.tile(np.arange(0, 40, 5, dtype=np.uint8) * i, (9, 1))
    Image.fromarray(stripes).save(buffer, "PNG")
    return buffer.getvalue()


def put_parquet(path: Path, rows: Sequence[Mapping[str, Any]]) -> str:
    """Write images as `datasets` and the hub keep them in parquet."""
    pq.write_table(pa.Table.from_pylist(rows), path)
    return str(path)


def put_dataset(path: Path, rows: Sequence[Mapping[str, Any]]) -> str:
    """Save a `datasets` folder, whose images come decoded and whose classes named."""
    features = Features({"image": datasets.Image(), "label": ClassLabel(names=NAMES)})
    Dataset.from_list(list(rows), features=features).save_to_disk(path)
    return str(path)


PAIRS = [{"prompt": t, "completion": str(i)} for i, t in enumerate(TEXTS)]
NAMES = ["cat", "dog", "fox"]
PICTURES = [
    {"image": {"bytes": picture(i), "path": f"{i}.png"}, "label": i % 3}
    for i in range(N + Q)
]
NEW = {
    Entry.TEXT: "fine",
    Entry.NUMBER: 1.5,
    Entry.PICTURE: Image.new("RGB", (24, 16), (9, 90, 200)),
}
VIT = ("query", "value", "q_proj", "v_proj")  # by version
KINDS = {
    "images in parquet": Kind(
        lambda: tiny_vit(3),
        PICTURES,
        VIT,
        settled={"name": "image-classification", "num_labels": 3},
        shown="3 × 8 × 8 pixel values -> class 0",
        processor=tiny_image_processor,
        put=put_parquet,
        ending=".parquet",
    ),
    "images in a folder": Kind(
        lambda: tiny_vit(3),
        PICTURES,
        VIT,
        settled={"name": "image-classification", "labels": NAMES},
        processor=tiny_image_processor,
        put=put_dataset,
        ending="",
    ),
    "words": Kind(
        lambda: tiny_bert_classifier().bert,
        [
            {"tokens": t.split(), "ner_tags": [i % 3] * len(t.split())}
            for i, t in enumerate(TEXTS)
        ],
        ("query", "value"),
        settled={"name": "token-classification", "num_labels": 3},
        shown="<s> [f] i n e (1 tokens in the loss)",
    ),
    "t5": Kind(
        tiny_t5,
        PAIRS,
        ("q", "v"),
        settled={"name": "seq2seq"},
        shown="<s> f i n e   [<s>] [0] (2 tokens in the loss)",
    ),
    "bart": Kind(
        tiny_bart,
        [{"document": r["prompt"], "summary": r["completion"]} for r in PAIRS],
        ("q_proj", "v_proj"),
        {
            "name": "seq2seq",
            "columns": {"prompt": "document", "completion": "summary"},
            "prefix": "sum: ",
        },
        {"prefix": "sum: "},
    ),
    "several classes": Kind(
        lambda: tiny_bert_classifier().bert,
        [{"text": t, "label": [i % 3] * (i % 2)} for i, t in enumerate(TEXTS)],
        ("query", "value"),
        {
            "name": "sequence-classification",
            "problem": "multi_label_classification",
            "num_labels": 3,
        },
        shown="<s> f i n e   -> label [0.0, 0.0, 0.0]",
    ),
    "a number": Kind(
        lambda: tiny_bert_classifier().bert,
        [{"text": t, "label": i / 2} for i, t in enumerate(TEXTS)],
        ("query", "value"),
        {"name": "sequence-classification", "problem": "regression"},
        {"num_labels": 1},
    ),
    "a number, as the base says": Kind(
        lambda: tiny_bert_classifier(1),
        [{"text": t, "label": i % 4} for i, t in enumerate(TEXTS)],
        ("query", "value"),
        settled={"problem": "regression", "num_labels": 1},
        shown="<s> f i n e   -> label 0.0",
    ),
}


def put_folder(path: Path, rows: Sequence[Mapping[str, Any]]) -> str:
    """Write a folder of images with metadata, as diffusers' scripts take it."""
    path.mkdir()
    for i, row in enumerate(rows):
        Image.open(io.BytesIO(row["image"]["bytes"])).resize((24, 16)).save(
            path / f"{i}.png"
        )
    lines = [{"file_name": f"{i}.png", "text": r["text"]} for i, r in enumerate(rows)]
    put_rows(path / "metadata.jsonl", lines)
    return str(path)


if DIFFUSERS:
    KINDS["pictures"] = Kind(
        lambda: tiny_pipeline(dtype=torch.float32),
        [{**row, "text": "fine"[: i % 5]} for i, row in enumerate(PICTURES)],
        ("to_q", "to_v"),
        {"timesteps": 2},
        settled={"name": "text-to-image", "timesteps": 2},
        shown="4 × 4 × 6 latent, 2 passes -> ",
        processor=tiny_image_processor,  # which a pipeline's folder does not mind
        put=put_folder,
        ending="",
    )


@pytest.fixture(scope="module", params=KINDS)
def trained(request, tmp_path_factory):
    """A kind, and the run that its adapter was trained by."""
    kind, folder = KINDS[request.param], tmp_path_factory.mktemp("kind")
    kind.base().save_pretrained(folder / "base")
    kind.processor().save_pretrained(folder / "base")

    def put(name: str, rows: Sequence[Mapping[str, Any]]) -> DataConfig:
        return DataConfig(data=kind.put(folder / f"{name}{kind.ending}", rows))

    config = RunConfig(
        model=str(folder / "base"),
        train=put("train", kind.rows[:N]),
        queries=put("queries", kind.rows[N:]),
        task=kind.task,
        recipe=recipe(*kind.targets),
        out=str(folder / "adapter"),
    )
    train_run(config)
    return kind, config


def test_the_run_beside_the_adapter_says_the_task(trained):
    kind, config = trained
    left = read_run(config.out)
    wanted = {**kind.task, **kind.settled}
    assert wanted.items() <= left.task.items()


def test_an_adapter_and_its_queries_are_attributed(trained):
    _, config = trained
    subject = load_subject(resolve({"adapter": config.out}))
    train, queries = load_examples(config.train), load_examples(config.queries)
    scores = attribute(subject.model, train, queries, subject.task, method="dot")
    assert scores.values.shape == (Q, N)
    assert scores.values.any()
    again = load_subject(resolve({"adapter": config.out}))
    both = [
        s.task.losses(s.model, s.task.collate([train[i] for i in range(N)]))
        for s in (subject, again)
    ]
    assert torch.equal(*both)


def test_rows_are_ranked_by_how_much_they_hurt(trained):
    _, config = trained
    subject = load_subject(resolve({"adapter": config.out}))
    train, queries = load_examples(config.train), load_examples(config.queries)
    wrong = np.arange(N) % 3 == 1
    found = mislabeled(subject.model, train, queries, subject.task, wrong=wrong)
    assert sorted(found.ranking["index"]) == list(range(N))
    assert 0 <= found.measured["auc"] <= 1


def test_doctor_shows_the_first_example_as_the_model_reads_it(trained):
    kind, config = trained
    run = resolve({"adapter": config.out})
    found = {f.check: f for f in examine(run, Told())}
    assert not [f for f in found.values() if f.state == "fix"]
    assert kind.shown in found["as tokens"].found


@pytest.mark.parametrize("trained", ["images in parquet", "words"], indirect=True)
def test_a_finished_run_is_asked_about_something_new(trained, tmp_path, monkeypatch):
    _, config = trained
    monkeypatch.setattr("datainf.workflows.runs.report", lambda *_, **__: tmp_path)
    run = resolve({"adapter": config.out})
    asked = ScoreOptions(method="dot", agreement=False)
    attribute_run(replace(run, queries=config.queries, score=asked, out=str(tmp_path)))
    with asking(tmp_path) as question:
        given = {f.name: NEW[f.entry] for f in question.fields if f.needed}
        found = question.ask(given, k=2)
    assert found.said is not None
    assert found.scores.values.shape == (1, N)
    assert found.scores.values.any()
    pictured = isinstance(question.run.subject.task, PicturedTask)
    assert (found.picture is not None) == (found.pictures is not None) == pictured
