"""The flags of `datainf reproduce`: which preset, and what of it is replaced."""

from collections.abc import Mapping

from datainf.cli.flag import STUDY, Flag

STUDY_FLAGS: Mapping[str, Flag] = {
    "preset": Flag(
        ("--preset",),
        str,
        "small (minutes to an hour on two cores), paper (the paper's models and "
        "sizes), or, where scores are judged by retraining, full (hours); small when "
        "not given.",
        panel=STUDY,
    ),
    "data_dir": Flag(
        ("--data-dir",),
        str,
        "Folder with a folder a data set (sst2, mrpc, ...), each with files such as "
        "train.tsv and val.tsv; the hub when not given.",
        panel=STUDY,
    ),
    "datasets": Flag(
        ("--datasets",),
        str,
        "Data sets instead of the preset's, such as sst2,mrpc; demo-lm is the demo's "
        "language model, which needs no data. Of text-generation: tasks such as "
        "sentences-paper,math-shared; of text-to-image: styles, styles-hub, subjects.",
        panel=STUDY,
    ),
    "ranks": Flag(
        ("--ranks",), str, "LoRA ranks instead of the preset's: 1,4,16.", panel=STUDY
    ),
    "seeds": Flag(
        ("--seeds",),
        int,
        "How many seeds, each with rows, flips and weights of its own.",
        panel=STUDY,
    ),
    "train_rows": Flag(
        ("--train-rows",), int, "Training rows of each adapter.", panel=STUDY
    ),
    "keep": Flag(
        ("--keep",),
        float,
        "Share of the training rows that each method keeps; 0.7 when not given.",
        panel=STUDY,
    ),
    "publish": Flag(
        ("--publish",),
        str,
        "Folder for page, figures and records; that of --out when not given.",
        panel=STUDY,
    ),
}
FOR_STUDY = tuple(name for name in STUDY_FLAGS if name != "keep")
FOR_JUDGING = ("preset", "data_dir", "datasets", "publish")
"""Those of the experiment that trains again."""
