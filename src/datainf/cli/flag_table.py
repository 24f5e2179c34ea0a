"""The table of flags: a name means the same in every command.

Most flags are a place in run.yaml, given as a path of keys, and take their help from
where that option is described.
"""

from collections.abc import Mapping

from datainf.cli.clean_flags import CLEAN_FLAGS
from datainf.cli.evaluate_flags import EVALUATE_FLAGS
from datainf.cli.flag import COLLECT, DATA, MODEL, RECIPE, Flag
from datainf.cli.score_flags import SCORE_FLAGS
from datainf.cli.study_flags import STUDY_FLAGS
from datainf.core.options import CollectOptions, help_of
from datainf.core.run_config import DataConfig, RunConfig

FLAGS: Mapping[str, Flag] = {
    # model and task
    "model": Flag(
        ("--model",), str, help_of(RunConfig, "model"), ("model",), panel=MODEL
    ),
    "adapter": Flag(
        ("--adapter",), str, help_of(RunConfig, "adapter"), ("adapter",), panel=MODEL
    ),
    "task": Flag(
        ("--task",),
        str,
        "causal-lm, seq2seq, sequence-classification, token-classification, "
        "image-classification or text-to-image; the adapter's own when not given.",
        ("task", "name"),
        panel=MODEL,
    ),
    "precision": Flag(
        ("--precision",),
        str,
        help_of(RunConfig, "precision"),
        ("precision",),
        panel=MODEL,
    ),
    "device_map": Flag(
        ("--device-map",),
        str,
        help_of(RunConfig, "device_map"),
        ("device_map",),
        panel=MODEL,
    ),
    "trust_remote_code": Flag(
        ("--trust-remote-code",),
        bool,
        help_of(RunConfig, "trust_remote_code"),
        ("trust_remote_code",),
        panel=MODEL,
    ),
    "text_column": Flag(
        ("--text-column",),
        str,
        "Column with the text; twice for pairs.",
        None,
        True,
        MODEL,
    ),
    "label_column": Flag(
        ("--label-column",),
        str,
        "Column with the label: a class number or name, or what the task predicts.",
        ("task", "label_column"),
        panel=MODEL,
    ),
    "column": Flag(
        ("--column",),
        str,
        "prompt=question: the data's own name of a column; repeatable.",
        None,
        True,
        MODEL,
    ),
    "max_length": Flag(
        ("--max-length",),
        int,
        "Most tokens of an example, as in training; longer ones are cut.",
        ("task", "max_length"),
        panel=MODEL,
    ),
    "task_option": Flag(
        ("--task-option",),
        str,
        "Any other setting of the task, such as append_eos=false; repeatable.",
        None,
        True,
        MODEL,
    ),
    # data
    "train": Flag(
        ("--train", "--data"),
        str,
        help_of(DataConfig, "data"),
        ("train", "data"),
        panel=DATA,
    ),
    "split": Flag(
        ("--split",), str, help_of(DataConfig, "split"), ("train", "split"), panel=DATA
    ),
    "limit": Flag(
        ("--limit",), int, help_of(DataConfig, "limit"), ("train", "limit"), panel=DATA
    ),
    "truth": Flag(
        ("--truth",), str, help_of(DataConfig, "truth"), ("train", "truth"), panel=DATA
    ),
    "flip_labels": Flag(
        ("--flip-labels",),
        float,
        help_of(DataConfig, "flip_labels"),
        ("train", "flip_labels"),
        panel=DATA,
    ),
    "flip_seed": Flag(
        ("--flip-seed",),
        int,
        help_of(DataConfig, "flip_seed"),
        ("train", "flip_seed"),
        panel=DATA,
    ),
    "queries": Flag(
        ("--queries",),
        str,
        "The outputs to explain: a data file like that of --train.",
        ("queries", "data"),
        panel=DATA,
    ),
    "validation": Flag(
        ("--validation",),
        str,
        "Examples that can be trusted: a data file like that of --train; without "
        "them rows are ranked by self-influence.",
        ("queries", "data"),
        panel=DATA,
    ),
    "queries_split": Flag(
        ("--queries-split",),
        str,
        "The split of the queries or validation data.",
        ("queries", "split"),
        panel=DATA,
    ),
    "queries_limit": Flag(
        ("--queries-limit",),
        int,
        "Use only the first so many queries or validation rows.",
        ("queries", "limit"),
        panel=DATA,
    ),
    "prompt": Flag(
        ("--prompt",),
        str,
        "One query: this prompt, with --completion; of text-to-image alone.",
        panel=DATA,
    ),
    "completion": Flag(
        ("--completion",), str, "The output to explain after --prompt.", panel=DATA
    ),
    # collecting
    "parameters": Flag(
        ("--parameters",),
        str,
        help_of(CollectOptions, "parameters"),
        ("collect", "parameters"),
        panel=COLLECT,
    ),
    "output": Flag(
        ("--output",),
        str,
        help_of(CollectOptions, "output"),
        ("collect", "output"),
        panel=COLLECT,
    ),
    "samples": Flag(
        ("--samples",),
        int,
        help_of(CollectOptions, "samples"),
        ("collect", "samples"),
        panel=COLLECT,
    ),
    "sample_seed": Flag(
        ("--sample-seed",),
        int,
        help_of(CollectOptions, "sample_seed"),
        ("collect", "sample_seed"),
        panel=COLLECT,
    ),
    "dtype": Flag(
        ("--dtype",),
        str,
        help_of(CollectOptions, "dtype"),
        ("collect", "dtype"),
        panel=COLLECT,
    ),
    "project": Flag(
        ("--project",),
        int,
        help_of(CollectOptions, "project"),
        ("collect", "project"),
        panel=COLLECT,
    ),
    "project_seed": Flag(
        ("--project-seed",),
        int,
        help_of(CollectOptions, "project_seed"),
        ("collect", "project_seed"),
        panel=COLLECT,
    ),
    "batch_tokens": Flag(
        ("--batch-tokens",),
        int,
        help_of(CollectOptions, "batch_tokens"),
        ("collect", "batch_tokens"),
        panel=COLLECT,
    ),
    "shard_rows": Flag(
        ("--shard-rows",),
        int,
        help_of(CollectOptions, "shard_rows"),
        ("collect", "shard_rows"),
        panel=COLLECT,
    ),
    "on_nonfinite": Flag(
        ("--on-nonfinite",),
        str,
        help_of(CollectOptions, "on_nonfinite"),
        ("collect", "on_nonfinite"),
        panel=COLLECT,
    ),
    "reuse": Flag(
        ("--reuse",),
        str,
        help_of(CollectOptions, "reuse"),
        ("collect", "reuse"),
        panel=COLLECT,
    ),
    "factors": Flag(
        ("--factors",),
        bool,
        help_of(CollectOptions, "factors"),
        ("collect", "factors"),
        panel=COLLECT,
    ),
    # scoring
    **SCORE_FLAGS,
    # training
    "recipe": Flag(
        ("--recipe",),
        str,
        "YAML file with a recipe (or a run.yaml that has one); flags win over it.",
        panel=RECIPE,
    ),
    "rank": Flag(
        ("--rank",), int, "LoRA rank r.", ("recipe", "peft", "r"), panel=RECIPE
    ),
    "alpha": Flag(
        ("--alpha",), int, "LoRA α.", ("recipe", "peft", "lora_alpha"), panel=RECIPE
    ),
    "target": Flag(
        ("--target",),
        str,
        "Name of the modules to adapt, such as q_proj; repeatable; PEFT's own choice "
        "for the architecture when not given.",
        ("recipe", "peft", "target_modules"),
        True,
        RECIPE,
    ),
    "epochs": Flag(
        ("--epochs",),
        float,
        "Passes over the data.",
        ("recipe", "training", "num_train_epochs"),
        panel=RECIPE,
    ),
    "batch_size": Flag(
        ("--batch-size",),
        int,
        "Examples a step.",
        ("recipe", "training", "per_device_train_batch_size"),
        panel=RECIPE,
    ),
    "lr": Flag(
        ("--lr",),
        float,
        "Learning rate.",
        ("recipe", "training", "learning_rate"),
        panel=RECIPE,
    ),
    "seed": Flag(
        ("--seed",),
        int,
        "Seeds new weights, batch order and dropout.",
        ("recipe", "seed"),
        panel=RECIPE,
    ),
    **EVALUATE_FLAGS,
    **CLEAN_FLAGS,
    **STUDY_FLAGS,
    # the command itself
    "train_store": Flag(
        ("--train",), str, "Store of the training gradients.", ("train", "data")
    ),
    "query_store": Flag(
        ("--queries",), str, "Store of the query gradients.", ("queries", "data")
    ),
    "curvature": Flag(
        ("--curvature",),
        str,
        "Store of the gradients that the curvature is made of; that of --train when "
        "not given.",
        ("curvature", "data"),
    ),
    "report_file": Flag(
        ("--out",), str, "The HTML file; report.html beside the scores when not given."
    ),
    "out": Flag(("--out",), str, help_of(RunConfig, "out"), ("out",)),
    "adapter_folder": Flag(
        ("--out",),
        str,
        "Folder for the adapter and its run.yaml; runs/adapter when not given.",
        ("out",),
    ),
    "store_folder": Flag(("--out",), str, "Folder of the store.", ("out",)),
    "scores_folder": Flag(("--out",), str, "Folder for the scores.", ("out",)),
    "k": Flag(("--k", "-k"), int, "How many rows to show."),
    "order": Flag(("--order",), str, "proponents, opponents or magnitude."),
    "query": Flag(("--query",), int, "Only the query of this number."),
    "rows": Flag(
        ("--rows",),
        str,
        "The training data, for a column that the scores do not carry.",
    ),
    "reduce": Flag(
        ("--reduce",), str, "sum (of a group's scores), or mean with an interval."
    ),
    "title": Flag(("--title",), str, "Heading of the report."),
    "port": Flag(("--port",), int, "The page's port; the first free one from 7860 on."),
    "host": Flag(
        ("--host",),
        str,
        "Name or address to serve at; 127.0.0.1, this machine alone, when not given.",
    ),
    "browse": Flag(("--open",), bool, "Open the page in the browser."),
    "world_size": Flag(
        ("--world-size",),
        int,
        "Refuse to start unless a launcher (torchrun) started so many processes.",
    ),
    "rank_timeout": Flag(
        ("--rank-timeout",),
        float,
        "Seconds that a process waits for the others before it gives up; 1800 when not "
        "given.",
    ),
    "dry_run": Flag(
        ("--dry-run",), bool, "Tell memory, disk and time from a few batches, and stop."
    ),
    "format": Flag(("--format",), str, "How results go to stdout: table, json or csv."),
    "traceback": Flag(
        ("--traceback",), bool, "Show the whole traceback of an unforeseen error."
    ),
}

FOR_BASE = ("model", "precision", "device_map", "trust_remote_code")
FOR_TASK = (
    "task", "text_column", "label_column", "column", "max_length", "task_option"
)  # fmt: skip
FOR_TRAIN = ("train", "split", "limit", "truth", "flip_labels", "flip_seed")
FOR_COLLECT = (
    "parameters", "output", "samples", "sample_seed", "dtype", "project",
    "project_seed", "batch_tokens", "shard_rows", "on_nonfinite", "reuse", "factors",
)  # fmt: skip
FOR_RANKS = ("world_size", "rank_timeout")
FOR_RECIPE = (
    "recipe", "rank", "alpha", "target", "epochs", "batch_size", "lr", "seed"
)  # fmt: skip
