"""A tiny encoder and tiny data sets on disk, laid out as the experiments read them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value
from datasets import Image as PictureColumn
from PIL import Image
from transformers import RobertaConfig, RobertaForMaskedLM

from datainf.experiments.presets import IMAGE_PRESETS, TEXT_PRESETS, Study, study_of
from tests.tiny_models import (
    POSITIONS,
    VOCAB,
    tiny_bert_classifier,
    tiny_llama,
    tiny_tokenizer,
)

WORDS = ("fine", "odd", "warm", "dull", "quick", "calm", "loud")


def tiny_base(folder: Path) -> Path:
    """Save a tiny BERT with its tokenizer, and without a head."""
    tiny_bert_classifier(2).base_model.save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return folder


def tiny_roberta(folder: Path) -> Path:
    """Save a tiny RoBERTa as the hub has the large one: with the head of its words."""
    config = RobertaConfig(
        vocab_size=VOCAB,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=23,
        max_position_embeddings=POSITIONS + 1,
        type_vocab_size=1,
        pad_token_id=0,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        RobertaForMaskedLM(config).save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return folder


GLUE: Mapping[str, tuple[str, ...]] = {
    "sst2": ("sentence",),
    "mrpc": ("sentence1", "sentence2"),
    "qnli": ("question", "sentence"),
    "qqp": ("question1", "question2"),
}
"""The text columns of `nyu-mll/glue` by configuration."""


def tiny_glue(
    name: str, configuration: str | None = None, *, rows: int = 29
) -> DatasetDict:
    """Give what `datasets.load_dataset` gives of `nyu-mll/glue`, with few rows."""
    assert name == "nyu-mll/glue"
    texts = GLUE[str(configuration)]
    classes = ClassLabel(names=["no", "yes"])
    kinds = {**dict.fromkeys(texts, Value("string")), "label": classes}
    features = Features({**kinds, "idx": Value("int32")})

    def split(which: str, count: int) -> Dataset:
        # Test labels are secret, but for those of MRPC.
        secret = which == "test" and configuration != "mrpc"
        columns: dict[str, list[object]] = {
            text: [f"{WORDS[i % 7]} {which} {text} {i}" for i in range(count)]
            for text in texts
        }
        columns["label"] = [-1 if secret else i % 2 for i in range(count)]
        return Dataset.from_dict({**columns, "idx": range(count)}, features=features)

    counts = {"train": rows, "validation": 11, "test": 5}
    return DatasetDict({which: split(which, n) for which, n in counts.items()})


def tiny_writer(folder: Path) -> Path:
    """Save a tiny Llama with its tokenizer."""
    tiny_llama().save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return folder


def tiny_text_study(folder: Path, **changes: object) -> Study:
    """The small preset of text generation at a size for tests: two rows a class."""
    given = {"datasets": ("sentences-shared",), "ranks": (2,), "seeds": 2, "rows": 20}
    study = study_of(
        "small",
        model=str(tiny_writer(folder / "writer")),
        presets=TEXT_PRESETS,
        **{**given, "epochs": 1, **changes},  # type: ignore[arg-type]
    )
    return replace(study, sample=replace(study.sample, validation_rows=10))


def tiny_data(folder: Path, *, rows: int = 29) -> Path:
    """Write `sst2` and `noisy_ag_news` with short rows."""
    for name in ("sst2", "noisy_ag_news"):
        (folder / name).mkdir(parents=True)
        for split, count in (("train", rows), ("val", 11)):
            lines = ["sentence1\tlabel" + "\tgt" * (name != "sst2")]
            for i in range(count):
                gold = i % (2 if name == "sst2" else 4)
                shown = (gold + (i % 5 == 0)) % 4 if name != "sst2" else gold
                text = f"{WORDS[i % 7]} {WORDS[(i + gold) % 7]} film {split} {i}"
                lines.append(f"{text}\t{shown}" + f"\t{gold}" * (name != "sst2"))
            (folder / name / f"{split}.tsv").write_text("\n".join(lines) + "\n")
    return folder


def tiny_study(folder: Path, **changes: object) -> Study:
    """The small preset at a size for tests: two seeds, 17 rows, one pass."""
    given = {"datasets": ("sst2",), "ranks": (2,), "seeds": 2, "rows": 17, "epochs": 1}
    return study_of(
        "small",
        model=str(tiny_base(folder / "base")),
        data_dir=str(tiny_data(folder / "data")),
        **{**given, **changes},  # type: ignore[arg-type]
    )


def drawn_at_once(model: Any, prompts: Sequence[str], *, side: int) -> Any:
    """Stand in for fifty steps a picture; tests/integrations/diffusion takes them."""
    del model
    return (Image.new("RGB", (side, side), (9, len(text), 30)) for text in prompts)


def ranked_at_once(subject: Any, timesteps: int, seed: int) -> dict[str, Any]:
    """Stand in for a store a ranking; tests/cli/commands makes them."""
    draw, rows = np.random.default_rng([timesteps, seed]), subject.rows
    shape = (len(rows.validation), len(rows.train))
    return {name: draw.standard_normal(shape) for name in ("dot", "datainf")}


def tiny_drawer(folder: Path) -> Path:
    """Save a tiny pipeline that reads the words of captions, 16 pixels a side."""
    from scripts.train_demo_pipeline import build_tokenizer
    from tests.tiny_diffusion import longer_reader, tiny_pipeline

    pipeline = tiny_pipeline(dtype=torch.float32)
    pipeline.tokenizer = tokenizer = build_tokenizer()
    pipeline.text_encoder = longer_reader(tokenizer.model_max_length)
    pipeline.text_encoder.resize_token_embeddings(len(tokenizer))
    pipeline.save_pretrained(folder)
    return folder


def tiny_photos(folder: Path) -> Path:
    """Write `dreambooth` with four photos of each of three subjects."""
    for number, subject in enumerate(("cat2", "dog", "rc_car")):
        place = folder / "dreambooth" / subject
        place.mkdir(parents=True)
        for i in range(4):
            colour = (70 * number, 60 * i, 99)
            Image.new("RGB", (21, 17), colour).save(place / f"{i:02}.jpg")
    return folder


def tiny_styles(folder: Path) -> Path:
    """Write `styles` as the paper's set has it, with few pictures of two styles."""
    columns = Features(
        {
            "image": PictureColumn(),
            "text": Value("string"),
            "style_class": Value("string"),
        }
    )

    def part(count: int) -> Dataset:
        names = [("cartoon", "line sketch")[i % 2] for i in range(count)]
        pictures = [Image.new("RGB", (19, 17), (30 * i, 90, 9)) for i in range(count)]
        values = {"image": pictures, "text": names, "style_class": names}
        return Dataset.from_dict(values, features=columns)

    parts = DatasetDict({"train": part(8), "val": part(4)})
    parts.save_to_disk(folder / "styles")
    return folder


def tiny_picture_study(folder: Path, **changes: object) -> Study:
    """The small preset of pictures at a size for tests."""
    given = {"datasets": ("styles", "subjects"), "ranks": (2,), "seeds": 1, "rows": 9}
    study = study_of(
        "small",
        model=str(tiny_drawer(folder / "drawer")),
        data_dir=str(tiny_photos(folder / "photos")),
        presets=IMAGE_PRESETS,
        **{**given, "epochs": 1, **changes},  # type: ignore[arg-type]
    )
    sample = replace(study.sample, validation_rows=6)
    return replace(study, sample=sample, task={"resolution": 16, "timesteps": 2})
