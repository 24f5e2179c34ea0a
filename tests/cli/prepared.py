"""What a page takes for granted, beside what all of them do: files, runs, names."""

import json
import shutil
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from peft import AutoPeftModelForCausalLM, LoraConfig, get_peft_model_state_dict
from PIL import Image
from transformers import Trainer, TrainingArguments

import datainf as library
from datainf.integrations.weights import collated
from tests.cli.command import worked
from tests.cli.snippets import FENCE, ROOT
from tests.tiny_diffusion import tiny_pipeline, with_diffusion_lora
from tests.tiny_models import tiny_llama, with_lora

Names = dict[str, Any]
TRAINED: Mapping[str, str] = {
    "training": "{save_strategy: epoch}",
    "peft": "{target_modules: [q_proj]}",
}


class Loading(dict[str, Any]):
    """Names of a page's code; `model` is the adapter that the page itself trained."""

    def __missing__(self, name: str) -> Any:
        if name == "model":
            self[name] = AutoPeftModelForCausalLM.from_pretrained("my-adapter")
            return self[name]
        raise KeyError(name)


def rows_of(path: Path, columns: Mapping[str, tuple[str, ...]]) -> list[dict[str, Any]]:
    """Read a file of rows and put columns on them, whose values take turns."""
    if path.suffix == ".tsv":
        head, *lines = (x.split("\t") for x in path.read_text().splitlines())
        rows = [dict(zip(head, line, strict=True)) for line in lines]
    else:
        rows = [json.loads(line) for line in path.read_text().splitlines()]
    for i, row in enumerate(rows):
        row |= {name: values[i % len(values)] for name, values in columns.items()}
    return rows


def written(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Write rows as a file of that name, in place of a link that may be there."""
    path.unlink(missing_ok=True)
    if path.suffix == ".tsv":
        lines = ["\t".join(rows[0]), *("\t".join(map(str, r.values())) for r in rows)]
    else:
        lines = [json.dumps(row) for row in rows]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def adapter_of_two_epochs(place: Path, *flags: object) -> None:
    """Train `my-adapter` with a checkpoint an epoch, in place of the one linked."""
    recipe = "".join(f"{key}: {value}\n" for key, value in TRAINED.items())
    (place / "own.yaml").write_text(recipe, encoding="utf-8")
    (place / "my-adapter").unlink()
    worked(
        *("train", "--model", "base", "--train", "train.jsonl", "--out", "my-adapter"),
        *("--recipe", "own.yaml", "--rank", 2, "--epochs", 2, "--batch-size", 7),
        *flags,
    )


def readme(place: Path, names: Names) -> None:
    """The page trains its classifier itself, judges it, and draws."""
    # Half of the rows are a batch.
    written(place / "train.tsv", rows_of(place / "train.tsv", {}) * 2)
    (place / "my-classifier").unlink()
    names["train_rows"] = names["rows"]
    pictures(place, names)


def evaluate(place: Path, names: Names) -> None:
    """A classifier that is trained in a moment, fifty times and more."""
    del names
    written(place / "train.tsv", rows_of(place / "train.tsv", {}) * 2)
    (place / "my-classifier").unlink()
    worked(
        *("train", "--model", "my-encoder", "--data", "train.tsv", "--epochs", 1),
        *("--rank", 2, "--out", "my-classifier"),
    )


def checkpoints(place: Path, names: Names) -> None:
    """The recipe is the page's own, and so is the adapter."""
    page = (ROOT / "docs/jobs/checkpoints.md").read_text(encoding="utf-8")
    (recipe,) = [text for kind, _, text in FENCE.findall(page) if kind == "yaml"]
    (place / "recipe.yaml").write_text(recipe, encoding="utf-8")
    (place / "my-adapter").unlink()
    del names["model"]
    names["task"] = library.CausalLM(names["tokenizer"])


def clean(place: Path, names: Names) -> None:
    """As many rows as the page takes, of two topics; checkpoints with moments."""
    del names
    many = [
        {"text": f"{'good' if i % 2 else 'bad'} film {i}", "label": i % 2}
        for i in range(210)
    ]
    written(place / "train.tsv", many)
    (place / "my-classifier").unlink()
    worked(
        *("train", "--model", "my-encoder", "--data", "train.tsv", "--epochs", 1),
        *("--rank", 2, "--batch-size", 70, "--out", "my-classifier"),
    )
    unseen = [{"text": f"good show {i}", "label": 1} for i in range(30, 41)]
    written(place / "test.tsv", unseen)
    rows = rows_of(place / "train.jsonl", {"topic": ("a", "b")})
    written(place / "train.jsonl", (rows * 39)[:501])
    written(place / "targets.jsonl", rows[:2])
    adapter_of_two_epochs(place, "--epochs", 1, "--batch-size", 256)


def groups(place: Path, names: Names) -> None:
    """Rows with a source, films with an annotator."""
    columns = ("forum", "manual", "chat")
    rows = rows_of(place / "train.jsonl", {})
    rows = [{**row, "source": columns[i % 3]} for i, row in enumerate(rows * 8)]
    written(place / "train.jsonl", rows)
    films = rows_of(place / "train.tsv", {"annotator": ("ann", "bob")})
    written(place / "train.tsv", films)
    (place / "my-classifier").unlink()
    worked(
        *("train", "--model", "my-encoder", "--data", "train.tsv", "--epochs", 1),
        *("--rank", 2, "--out", "my-classifier"),
    )
    worked(
        *("attribute", "--adapter", "my-adapter", "--train", "train.jsonl"),
        *("--queries", "questions.jsonl", "--method", "dot", "--group-by", "source"),
        *("--out", "by-source"),
    )
    names["rows"] = {"source": [row["source"] for row in rows]}
    names["scores"] = library.Scores.load("by-source/scores")


def fisher(place: Path, names: Names) -> None:
    """Queries under another name, and stores of both sides."""
    del names
    (place / "q.jsonl").symlink_to(place / "questions.jsonl")
    for name, file in {"train": "train.jsonl", "queries": "q.jsonl"}.items():
        worked(
            *("collect", "--adapter", "my-adapter", "--data", file),
            *("--out", f"stores/{name}"),
        )


def less(place: Path, names: Names) -> None:
    """An adapter with checkpoints; moments of its size."""
    train = library.open_store(place / "runs" / "first" / "train")
    first = {block.name: torch.zeros(block.size) for block in train.layout}
    names |= {"train": train, "queries": train, "first": first}
    names["second"] = {name: moment + 1 for name, moment in first.items()}
    names["steps"] = dict.fromkeys(first, 3)
    adapter_of_two_epochs(place)


def tracin(place: Path, names: Names) -> None:
    """Two states of one run; here the same."""
    folder = place / "runs" / "first"
    train = library.open_store(folder / "train")
    queries = library.open_store(next(folder.glob("queries-*")))
    names |= {"train_500": train, "train_1000": train}
    names |= {"queries_500": queries, "queries_1000": queries}


def training(place: Path, names: Names) -> None:
    """A model to train, and the Trainer with the batches of its task."""
    collator = collated(library.CausalLM(names["tokenizer"]))
    names["Trainer"] = partial(Trainer, data_collator=collator)
    names["peft_model"] = with_lora(tiny_llama(), "CAUSAL_LM")
    names["arguments"] = TrainingArguments(
        output_dir=str(place / "out"),
        num_train_epochs=1,
        learning_rate=1e-2,
        report_to="none",
        disable_tqdm=True,
        use_cpu=True,
        remove_unused_columns=False,
        label_names=["labels"],
    )


def pictures(place: Path, names: Names) -> None:
    """A tiny pipeline with a LoRA, and pictures with captions."""
    del names
    pipeline = tiny_pipeline(dtype=torch.float32)
    pipeline.save_pretrained(place / "my-pipeline")
    with_diffusion_lora(pipeline).save_pretrained(place / "my-lora")
    (place / "images").mkdir()
    captions = []
    for i in range(3):
        name = f"{i}.png"
        Image.new("RGB", (16, 16), (40 * i, 90, 9)).save(place / "images" / name)
        captions.append({"file_name": name, "text": "xyz"[i]})
    written(place / "images" / "metadata.jsonl", captions)


def pictures_of_a_hub(place: Path, names: Names) -> None:
    """The pipeline lies under its hub name, the LoRA as diffusers saves one."""
    # The lowest versions, which collect this file, have no diffusers to import.
    from diffusers.utils import convert_state_dict_to_diffusers

    pictures(place, names)
    shutil.rmtree(place / "my-lora")
    pipeline = tiny_pipeline(dtype=torch.float32)
    pipeline.unet.add_adapter(LoraConfig(r=2, target_modules=["to_q", "to_v"]))
    layers = convert_state_dict_to_diffusers(get_peft_model_state_dict(pipeline.unet))
    pipeline.save_lora_weights(place / "my-lora", unet_lora_layers=layers)
    (place / "stable-diffusion-v1-5").mkdir()
    name = place / "stable-diffusion-v1-5" / "stable-diffusion-v1-5"
    name.symlink_to(place / "my-pipeline")
    (place / "train").symlink_to(place / "images")
    shutil.copytree(place / "images", place / "made")
    shutil.copy(place / "images" / "1.png", place / "made.png")
    names["train"] = [{"image": f"train/{i}.png", "text": "x"} for i in range(2)]
    names["queries"] = [{"image": "made.png", "text": "y"}]
    names["task"] = library.TextToImage(pipeline, resolution=16)


SMALLER: Mapping[str, Mapping[str, str]] = {
    "README.md": {
        "evaluate --adapter": "evaluate --subsets 3 --twins 0 --adapter",
        "a dog in pixel art": "a dog",  # the tiny tokenizer reads seven letters
        "--task text-to-image": "--task text-to-image --task-option resolution=16 "
        "--task-option timesteps=2",
    },
    "docs/jobs/evaluate.md": {"--subsets 50": "--subsets 3 --twins 0"},
    "docs/jobs/pictures.md": {
        "resolution=512": "resolution=16, timesteps=2",
        "--task-option resolution=16, timesteps=2": "--task-option resolution=16 "
        "--task-option timesteps=2",
        "/00": "/",
        " in pixel art": "",
        "--train train/ --queries made/ --out runs/pixel-art": "--train train/ "
        "--queries made/ --out runs/pixels",
    },
}
"""What of a page's code is too large for a test, and what stands for it."""


PREPARED: Mapping[str, Callable[[Path, Names], None]] = {
    "README.md": readme,
    "docs/jobs/evaluate.md": evaluate,
    "docs/jobs/pictures.md": pictures_of_a_hub,
    "docs/jobs/checkpoints.md": checkpoints,
    "docs/jobs/clean.md": clean,
    "docs/jobs/groups.md": groups,
    "docs/methods/fisher.md": fisher,
    "docs/methods/less.md": less,
    "docs/methods/tracin.md": tracin,
    "docs/jobs/training.md": training,
}
