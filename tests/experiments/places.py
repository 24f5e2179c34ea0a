"""A tiny encoder and tiny data sets on disk, laid out as the experiments read them."""

from dataclasses import replace
from pathlib import Path

from datainf.experiments.presets import TEXT_PRESETS, Study, study_of
from tests.tiny_models import tiny_bert_classifier, tiny_llama, tiny_tokenizer

WORDS = ("fine", "odd", "warm", "dull", "quick", "calm", "loud")


def tiny_base(folder: Path) -> Path:
    """Save a tiny BERT with its tokenizer, and without a head."""
    tiny_bert_classifier(2).base_model.save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return folder


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
