"""What may go wrong, and all that is said: the table of `docs/faults.md`.

`tests/laws/test_faults.py` types each line and holds it to its message, whole. Words in
braces are the places of `tests/fault_places.py`.
"""

from dataclasses import dataclass

COLLECT = "collect --adapter {lm} --out {out} "
READ = COLLECT + "--data "
FILMS = "collect --adapter {films} --out {out} --data "
ATTRIBUTE = "attribute --adapter {lm} --train {rows} --queries {queries} --out {out} "
SCORE = "score --train {s_lm} --out {out} --queries "
METHODS = (
    "dot, scaled-dot, cosine, datainf, exact, cg, lissa, ekfac, tracin, trak, less, "
    "auto"
)
TASKS = (
    "sequence-classification, causal-lm, seq2seq, token-classification, "
    "image-classification, text-to-image"
)
MASKED = "give it a completion, raise max_length, or take the row out."
WHOLE = "write or copy it again."
TOKENS = "give the base and the tokenizer that the adapter was trained with."
TOGETHER = "the training gradients and the queries do not belong together: "
AGAIN = "; collect both with the same model, adapter and task."
ANOTHER = "{s_lm} holds a store of something else: "
CHOOSE = ". Choose another folder, or delete this one."
OR_REUSE = (
    ". Choose another folder, delete this one, or give reuse=DIR (--reuse DIR) to keep "
    "the rows that did not change."
)
NO_SHAPE = (
    "no example can be read from the columns {}: expected text, prompt and completion, "
    "messages, or input_ids. {}Map other names with columns=, such as "
    "columns={{'prompt': 'question', 'completion': 'answer'}} "
    "(--column prompt=question --column completion=answer)."
)
NAN = (
    "the losses of the first examples are [nan, nan]; check the model's weights and "
    "number format, and the labels."
)


@dataclass(frozen=True)
class Fault:
    """One thing that may go wrong.

    Attributes:
        what: In a few words.
        typed: The command that meets it.
        says: All of what follows `datainf: error: `, or `datainf: warning: ` where the
            command works in spite of it.
    """

    what: str
    typed: str
    says: str


def no_shape(columns: str, hint: str = "") -> str:
    """Say that rows have none of the shapes that are read."""
    return NO_SHAPE.format(columns, hint).replace("{'", "{{'").replace("'}", "'}}")


REFUSED = (
    # the adapter
    Fault(
        "model without adapter",
        "collect --adapter {base} --data {rows} --out {out}",
        "{base} holds no PEFT adapter that can be read: Can't find "
        "'adapter_config.json' at '{base}'. Give the folder or hub name that "
        "`save_pretrained` of the PEFT model wrote.",
    ),
    Fault(
        "adapter with nothing to train",
        "collect --adapter {norms} --data {rows} --out {out} --parameters paper",
        "adapter 'default' of type LN_TUNING has no LoRA matrix and no matrix of a "
        "head, and parameters=paper collects these alone; collect with "
        "parameters=all.",
    ),
    Fault(
        "NaN in the adapter", "collect --adapter {nan} --data {rows} --out {out}", NAN
    ),
    Fault(
        "infinity in the adapter",
        "collect --adapter {inf} --data {rows} --out {out}",
        NAN,
    ),
    Fault(
        "tokenizer larger than the base's embedding",
        "collect --adapter {small} --data {rows} --out {out}",
        "example 0: token 40 of input_ids is none of the model's 31 (0 to 30); the "
        "tokenizer has 61; " + TOKENS,
    ),
    Fault(
        "token ids of another tokenizer",
        READ + "{ids}",
        "example 1: token 999 of input_ids is none of the model's 61 (0 to 60); "
        + TOKENS,
    ),
    Fault(
        "a text longer than the model's positions",
        FILMS + "{long_film} --max-length 999",
        "example 0: 301 tokens of input_ids are more than the model's 256 positions; "
        "lower the task's max_length to 256.",
    ),
    # the data file
    Fault("no such file", READ + "{out}.jsonl", "{out}.jsonl does not exist."),
    Fault(
        "empty data set",
        READ + "{empty_jsonl}",
        "{empty_jsonl} holds no rows; give at least one.",
    ),
    Fault(
        "empty list",
        READ + "{nothing_json}",
        "{nothing_json} holds no rows; give at least one.",
    ),
    Fault(
        "only a header",
        READ + "{header_csv}",
        "{header_csv} holds no rows; give at least one.",
    ),
    Fault(
        "truncated jsonl",
        READ + "{cut_jsonl}",
        "{cut_jsonl}, line 2: invalid JSON at character 17: Unterminated string "
        "starting.",
    ),
    Fault(
        "truncated json",
        READ + "{cut_json}",
        "{cut_json}, line 1: invalid JSON at character 52: Expecting ',' delimiter.",
    ),
    Fault(
        "truncated csv",
        READ + "{cut_csv}",
        "{cut_csv}, line 3: unexpected end of data.",
    ),
    Fault(
        "truncated tsv",
        READ + "{cut_tsv}",
        "{cut_tsv}, line 3: 1 fields between TABs, expected 2: prompt, completion.",
    ),
    Fault(
        "truncated parquet",
        READ + "{cut_parquet}",
        "{cut_parquet} is no parquet file, or not all of one; " + WHOLE,
    ),
    Fault(
        "a file of another kind",
        READ + "{rows_xlsx}",
        "{rows_xlsx} is no data file: expected one that ends in .jsonl, .json, .csv, "
        ".tsv, .parquet.",
    ),
    Fault(
        "text that is not UTF-8",
        READ + "{latin}",
        "{latin}, line 2: byte 0xe9 is not UTF-8; save the file as UTF-8.",
    ),
    # its rows
    Fault("missing column", READ + "{prompts}", no_shape("prompt")),
    Fault(
        "misspelt column",
        READ + "{misspelt}",
        no_shape("prompt, completoin", "Did you mean 'completoin' for 'completion'? "),
    ),
    Fault(
        "misspelt --label-column",
        FILMS + "{film_rows} --label-column lable",
        "column 'lable' is missing: expected one of: text, label; did you mean "
        "'label'?.",
    ),
    Fault(
        "label outside of the classes",
        FILMS + "{seven}",
        "example 5: label 7 is outside of the classes 0 to 1 in the row {{'text': "
        "'film', 'label': 7}}; correct the row or take it out.",
    ),
    Fault(
        "text for a class number",
        FILMS + "{words}",
        "example 0: label 'bad' is no class number in the row {{'text': 'film 0', "
        "'label': 'bad'}}; make the column whole numbers from 0, or give the class "
        "names in the order of training as labels= (--task-option 'labels=[bad, "
        "good]').",
    ),
    Fault(
        "unknown class name",
        FILMS + '{words} --task-option labels=["awful","good"]',
        "example 0: label 'bad' is unknown in the row {{'text': 'film 0', 'label': "
        "'bad'}}: expected one of: awful, good.",
    ),
    Fault(
        "labels of two kinds in a column",
        FILMS + "{mixed}",
        "{mixed}, line 6: column 'label' holds another kind of value ('good') than the "
        "rows before it.",
    ),
    Fault(
        "all tokens masked",
        READ + "{masked}",
        "example 0: no token to learn from in the row {{'input_ids': [2, 5, 7], "
        "'labels': [-100, -100, -100]}}: all are masked; " + MASKED,
    ),
    Fault(
        "a prompt that fills max_length",
        READ + "{long_prompt} --max-length 9",
        "example 0: no token to learn from in the row {{'prompt': 'aaaaaaaaaaaa', "
        "'completion': 'b'}}: all are masked after cutting it to max_length=9; "
        + MASKED,
    ),
    Fault(
        "a text over the limit, where cutting is refused",
        READ + "{long_prompt} --max-length 9 --task-option truncation=refuse",
        "example 0: 15 tokens are more than max_length=9 in the row {{'prompt': "
        "'aaaaaaaaaaaa', 'completion': 'b'}}; raise max_length, or let truncation cut "
        "the row.",
    ),
    Fault(
        "packed rows",
        READ + "{packed}",
        "example 0: the row {{'input_ids': [2, 5, 7, 2, 5], 'position_ids': [0, 1, 2, "
        "0, 1]}} is packed: position_ids shows several documents in it; give the "
        "documents as rows of their own, as before packing.",
    ),
    # words that are none
    Fault(
        "unknown method",
        ATTRIBUTE + "--method datinf",
        f"method='datinf' is unknown: expected one of: {METHODS}; did you mean "
        "'datainf'?.",
    ),
    Fault(
        "unknown option of a method",
        ATTRIBUTE + "--method lissa --option stps=3",
        "lissa: 'stps' is unknown: expected one of: steps, tolerance, scale, seed; did "
        "you mean 'steps'?.",
    ),
    Fault(
        "option of a method that has none",
        ATTRIBUTE + "--option steps=3",
        "datainf has no options of its own, got 'steps'.",
    ),
    Fault(
        "unknown task",
        READ + "{rows} --task causal-ml",
        f"task.name='causal-ml' is unknown: expected one of: {TASKS}; did you mean "
        "'causal-lm'?.",
    ),
    Fault(
        "unknown key of run.yaml",
        "collect {run_yaml}",
        "run.yaml: scor is unknown: expected one of: model, adapter, precision, "
        "device_map, trust_remote_code, task, train, queries, curvature, collect, "
        "score, recipe, evaluate, group_by, tokens, checkpoints, checkpoint_limit, "
        "out; did you mean 'score'?.",
    ),
    Fault(
        "unknown key of a section",
        "collect {section_yaml}",
        "run.yaml: score.metod is unknown: expected one of: method, damping, blocks, "
        "normalize, fisher, options, keep_blocks, agreement; did you mean 'method'?.",
    ),
    # what does not go together
    Fault(
        "SEQ_CLS adapter under causal-lm",
        FILMS + "{film_rows} --task causal-lm",
        "the adapter was trained for SEQ_CLS, the task causal-lm needs CAUSAL_LM; use "
        "the task sequence-classification.",
    ),
    Fault(
        "CAUSAL_LM adapter under sequence-classification",
        READ + "{film_rows} --task sequence-classification",
        "the adapter was trained for CAUSAL_LM, the task sequence-classification needs "
        "SEQ_CLS; use the task causal-lm.",
    ),
    Fault(
        "seq2seq adapter under causal-lm",
        "collect --adapter {t5} --data {rows} --task causal-lm --out {out}",
        "the adapter was trained for SEQ_2_SEQ_LM, the task causal-lm needs CAUSAL_LM; "
        "use the task seq2seq.",
    ),
    Fault(
        "stores of two adapters",
        SCORE + "{s_other}",
        TOGETHER + "another adapter" + AGAIN,
    ),
    Fault(
        "stores of two bases",
        SCORE + "{s_base}",
        TOGETHER + "another base model" + AGAIN,
    ),
    Fault(
        "stores of two limits",
        SCORE + "{s_short}",
        TOGETHER + "task max_length: 256 against 101" + AGAIN,
    ),
    Fault(
        "stores of two tasks",
        SCORE + "{s_films}",
        TOGETHER
        + "another base model; another adapter; task name: 'causal-lm' against "
        "'sequence-classification'" + AGAIN,
    ),
    Fault(
        "stores of two layouts",
        "score --train {s_films} --queries {s_paper} --out {out}",
        "queries holds 9 blocks and curvature rows 10; collect both with the same "
        "adapter and parameters=.",
    ),
    Fault(
        "a store from another adapter",
        "collect --adapter {other} --data {rows} --out {s_lm}",
        ANOTHER + "another adapter" + CHOOSE,
    ),
    Fault(
        "a store from another base",
        "collect --adapter {lm} --model {other_base} --data {rows} --out {s_lm}",
        ANOTHER + "another base model" + CHOOSE,
    ),
    Fault(
        "a store from another data set",
        "collect --adapter {lm} --data {queries} --out {s_lm}",
        ANOTHER + "other data; rows: 7 against 3" + OR_REUSE,
    ),
    Fault(
        "a folder that is no store",
        SCORE + "{base}",
        "{base} is no gradient store: it has no manifest.json; give the folder that "
        "`datainf collect` wrote.",
    ),
    # what may not run
    Fault(
        "an adapter in a pickled file of more than tensors",
        "collect --adapter {pickled} --data {rows} --out {out}",
        "the weights of the adapter {pickled} are a pickled file of more than tensors, "
        "which may run code and is not loaded; save the adapter again, with "
        "safetensors.",
    ),
    Fault(
        "a base in a pickled file of more than tensors",
        "collect --adapter {lm} --model {pickled_base} --data {rows} --out {out}",
        "the weights of the model {pickled_base} are a pickled file of more than "
        "tensors, which may run code and is not loaded; save it again, with "
        "safetensors.",
    ),
    Fault(
        "a base that comes with code",
        "collect --adapter {lm} --model {coded_base} --data {rows} --out {out}",
        "the model {coded_base} comes with Python code, which runs only where you say "
        "so: read it, then give --trust-remote-code, or trust_remote_code: true in "
        "run.yaml.",
    ),
)
WARNED = (
    Fault(
        "a text cut at the limit",
        READ + "{long_prompt} --max-length 14",
        "1 of 1 examples are longer than max_length=14 and were cut; their gradients "
        "are those of what is left.",
    ),
    Fault(
        "NUL bytes and half surrogate pairs",
        READ + "{nasty}",
        "{nasty}: 1 of 8 rows hold half a surrogate pair, the first in line 8; it is "
        "read as U+FFFD.",
    ),
)
WORKS = (
    "one row",
    "duplicated examples",
    "more queries than training rows",
    "a path with spaces and names that are not ASCII",
    "an embedding padded beyond the tokenizer",
    "NUL bytes, direction marks, markup in a text",
    "gradients that are all zero: scores of 0, and a note",
)
ELSEWHERE = {
    "a disk that is full": "tests/store/test_atomic.py",
    "a byte that flipped, a truncated shard": "tests/store/test_verify.py",
    "a missing shard": "tests/store/test_reader.py",
    "a store of another format version": "tests/store/test_manifest.py",
    "two processes writing one store": "tests/store/test_lock.py",
    "a folder that is read-only": "tests/store/test_writer.py",
    "SIGKILL and Ctrl-C": "tests/laws/test_collect_survives_kill.py",
    "one example with a NaN or infinite gradient": "tests/store/test_writer.py",
    "data that would run in the report": "tests/reports/test_render.py",
    "wrong flags": "tests/cli/commands/test_mistakes.py",
    "adapters that do not fit": "tests/integrations/test_adapters_refused.py",
    "merged, disabled and unsupported adapters": "tests/capture/test_peft_faults.py",
}
