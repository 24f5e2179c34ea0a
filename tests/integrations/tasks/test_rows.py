"""Shapes of rows, and rows that are already tokenised."""

import re

import pytest
import torch
from datasets import Dataset

from datainf.core.errors import DataError, OptionError
from datainf.integrations.tasks.rows import (
    COLUMN_NAMES,
    SHAPES,
    check_names,
    read_token_pair,
    read_tokens,
    shape_of,
    tokens_alone,
)


def refused(message, kind=DataError):
    return pytest.raises(kind, match=f"^{re.escape(message)}$")


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_is_told_by_its_columns(shape):
    assert shape_of(dict.fromkeys([*SHAPES[shape], "id"]), {}) == shape


def test_columns_can_be_mapped():
    columns = {"prompt": "question", "completion": "answer"}
    row = dict.fromkeys(["question", "answer", "text"])
    assert shape_of(row, columns) == "prompt-completion"
    assert shape_of(row, {"text": "question"}) == "text"


def test_a_row_of_two_shapes_is_refused_until_the_user_chooses():
    row = dict.fromkeys(["prompt", "completion", "text"])
    message = (
        "the columns prompt, completion, text can be read as prompt-completion or as "
        "text; say which was trained on with columns=, such as columns={'text': "
        "'text'}."
    )
    with refused(message):
        shape_of(row, {})
    assert shape_of(row, {"text": "text"}) == "text"
    assert shape_of(row, {"completion": "completion"}) == "prompt-completion"


def test_a_row_of_no_shape_is_refused_with_the_near_names():
    message = (
        "no example can be read from the columns promt, completion: expected text, "
        "prompt and completion, messages, or input_ids. Did you mean 'promt' for "
        "'prompt'? Map other names with columns=, such as columns={'prompt': "
        "'question', 'completion': 'answer'} (--column prompt=question --column "
        "completion=answer)."
    )
    with refused(message):
        shape_of(dict.fromkeys(["promt", "completion"]), {})


@pytest.mark.parametrize(
    ("columns", "maps", "flags"),
    [
        (
            ["instruction", "input", "output"],
            "{'prompt': 'instruction', 'completion': 'output'}",
            "--column prompt=instruction --column completion=output",
        ),
        (
            ["id", "conversations"],
            "{'messages': 'conversations'}",
            "--column messages=conversations",
        ),
    ],
    ids=["instructions", "conversations"],
)
def test_names_that_data_sets_often_have_are_mapped_in_the_message(
    columns, maps, flags
):
    message = (
        f"no example can be read from the columns {', '.join(columns)}: expected text, "
        "prompt and completion, messages, or input_ids. Map other names with columns=, "
        f"such as columns={maps} ({flags})."
    )
    with refused(message):
        shape_of(dict.fromkeys(columns), {})


def test_unknown_names_are_refused():
    check_names(dict.fromkeys(COLUMN_NAMES, "x"))
    message = (
        "columns='promt' is unknown: expected one of: input_ids, messages, prompt, "
        "completion, text, labels, completion_mask, assistant_masks, tools; did you "
        "mean 'prompt'?."
    )
    with refused(message, OptionError):
        check_names({"promt": "question"})


@pytest.mark.parametrize(
    ("more", "labels"),
    [
        ({}, [5, 6, 7, 8]),
        ({"labels": [-100, 6, 7, -100]}, [-100, 6, 7, -100]),
        ({"completion_mask": [0, 0, 1, 1]}, [-100, -100, 7, 8]),
        ({"assistant_masks": torch.tensor([0, 1, 1, 0])}, [-100, 6, 7, -100]),
        (
            {"completion_mask": [0, 1, 1, 1], "assistant_masks": [0, 0, 1, 1]},
            [-100, -100, 7, 8],
        ),
        (
            {"labels": [-100, 6, 7, 8], "completion_mask": [1, 1, 0, 1]},
            [-100, 6, -100, 8],
        ),
    ],
)
def test_labels_and_masks_are_honoured(more, labels):
    ids = [5, 6, 7, 8]
    assert read_tokens({"input_ids": ids, **more}, {}) == (ids, labels)


@pytest.mark.parametrize("read", [read_tokens, read_token_pair])
def test_labels_that_mask_by_another_number_are_refused(read):
    row = {"input_ids": [5, 6, 7], "labels": [-1, -1, 7]}
    with refused(
        "label -1 is neither a token nor -100 in the row {'input_ids': [5, 6, 7], "
        "'labels': [-1, -1, 7]}; write -100 where nothing is learned."
    ):
        read(row, {})


def test_a_label_that_a_mask_leaves_out_may_be_anything():
    row = {"input_ids": [5, 6], "labels": [-1, 6], "completion_mask": [0, 1]}
    assert read_tokens(row, {}) == ([5, 6], [-100, 6])


def test_padding_at_either_end_is_taken_off():
    row = {
        "input_ids": [0, 0, 5, 6, 0],
        "attention_mask": [0, 0, 1, 1, 0],
        "position_ids": [1, 1, 0, 1, 1],
    }
    assert read_tokens(row, {}) == ([5, 6], [5, 6])


def test_lists_of_other_names_are_read():
    row = {"ids": [5, 6], "y": [-100, 6]}
    columns = {"input_ids": "ids", "labels": "y"}
    assert read_tokens(row, columns) == ([5, 6], [-100, 6])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seq_lengths", [2, 2]),
        ("cu_seq_lens_q", [0, 2, 4]),
        ("document_ids", [0, 0, 1, 1]),
        ("seq_idx", [0, 0, 0, 1]),
        ("position_ids", [0, 1, 0, 1]),
    ],
)
def test_packed_rows_are_refused(name, value):
    row = {"input_ids": [5, 6, 7, 8], name: value}
    message = (
        f"the row {row} is packed: {name} shows several documents in it; give the "
        "documents as rows of their own, as before packing."
    )
    with refused(message):
        read_tokens(row, {})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seq_lengths", [4]),
        ("cu_seq_lens_q", [0, 4]),
        ("document_ids", [7, 7, 7, 7]),
        ("position_ids", [0, 1, 2, 3]),
    ],
)
def test_one_document_is_not_packed(name, value):
    ids = [5, 6, 7, 8]
    assert read_tokens({"input_ids": ids, name: value}, {}) == (ids, ids)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            {"input_ids": [5, 6], "labels": [5]},
            "labels holds 1 numbers and input_ids 2 in the row {'input_ids': [5, 6], "
            "'labels': [5]}; give one number for each token.",
        ),
        (
            {"input_ids": [5, 6, 7], "attention_mask": [1, 0, 1]},
            "attention_mask has a gap in the row {'input_ids': [5, 6, 7], "
            "'attention_mask': [1, 0, 1]}; only padding at the ends can be taken off.",
        ),
        (
            {"input_ids": [5], "attention_mask": [0]},
            "the row {'input_ids': [5], 'attention_mask': [0]} holds no token; fill "
            "it or take it out.",
        ),
        (
            {"input_ids": [[5, 6]]},
            "column 'input_ids' must hold one list of whole numbers in the row "
            "{'input_ids': [[5, 6]]}.",
        ),
        (
            {"input_ids": 5},
            "column 'input_ids' must hold one list of whole numbers in the row "
            "{'input_ids': 5}.",
        ),
    ],
    ids=["lengths", "gap", "empty", "nested", "number"],
)
def test_broken_token_rows_are_refused(row, message):
    with refused(message):
        read_tokens(row, {})


@pytest.mark.parametrize("ids", ["567", b"567", [5.7, 6.0], ["5", "6"], [float("inf")]])
def test_what_only_looks_like_token_ids_is_refused(ids):
    with pytest.raises(DataError, match="must hold one list of whole numbers"):
        read_tokens({"input_ids": ids}, {})


def test_whole_numbers_written_as_floats_are_token_ids():
    assert read_tokens({"input_ids": [5.0, 6.0]}, {}) == ([5, 6], [5, 6])


def test_texts_beside_tokens_are_left_out():
    row = {"text": "ab", "input_ids": [5, 6], "labels": [-100, 6], "source": "here"}
    rows = tokens_alone(Dataset.from_list([row]))
    assert rows.column_names == ["input_ids", "labels", "source"]
    assert shape_of(rows[0], {}) == "tokens"
    raw = Dataset.from_list([{"text": "ab"}])
    assert tokens_alone(raw) is raw
    assert tokens_alone([row]) == [row]
