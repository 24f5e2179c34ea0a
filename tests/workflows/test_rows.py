"""Looking at examples: what is found in them, and which one is at fault."""

import re

import pandas as pd
import pytest
from datasets import Dataset, DatasetDict

from datainf.core.errors import DataError
from datainf.integrations.fingerprint import hash_row
from datainf.integrations.tasks.callable import CallableTask
from datainf.integrations.tasks.causal_lm import CausalLM
from datainf.integrations.tasks.outputs import DRAW
from datainf.integrations.tasks.sequence_classification import SequenceClassification
from datainf.workflows.rows import look_at, numbered, read_by_number
from tests.tiny_models import tiny_tokenizer
from tests.workflows.collecting import Told

LENGTHS = (3, 1, 7, 2, 5)
ROWS = [{"text": "a" * n, "number": n} for n in LENGTHS]


def language(**options):
    return CausalLM(tiny_tokenizer(), append_eos=False, **options)


def look(dataset, task=None, *, text=True):
    return look_at(dataset, task or language(), Told(), text=text)


def refused(message):
    return pytest.raises(DataError, match=f"^{re.escape(message)}$")


def test_every_example_is_described_in_one_row():
    found = look(ROWS)
    assert found.table.to_dict("list") == {
        "index": [0, 1, 2, 3, 4],
        "hash": [hash_row(row) for row in ROWS],
        "tokens": [1 + n for n in LENGTHS],
        "text": ["a" * n for n in LENGTHS],
    }
    assert found.lengths == [1 + n for n in LENGTHS]
    assert found.hashes == found.table["hash"].tolist()
    assert found.truncated == 0


def test_a_dataset_is_looked_at_like_a_list():
    pd.testing.assert_frame_equal(look(Dataset.from_list(ROWS)).table, look(ROWS).table)


def test_texts_are_kept_only_where_they_are_asked_for():
    assert list(look(ROWS, text=False).table) == ["index", "hash", "tokens"]


def test_cut_examples_are_counted_and_have_the_length_that_is_left():
    found = look(ROWS, language(max_length=5))
    assert found.truncated == 2
    assert found.lengths == [4, 2, 5, 3, 5]


def test_a_loss_of_ones_own_is_looked_at_too():
    task = CallableTask(language().losses, language().collate)
    found = look(ROWS, task)
    assert (found.lengths, found.truncated) == ([1 + n for n in LENGTHS], 0)


def test_the_reporter_is_told_of_each_example_once():
    told = Told()
    look_at(ROWS, language(), told, text=True)
    assert told.events == [("stage", ("reading examples", 5)), *[("step", 1)] * 5]


def test_examples_are_read_in_the_order_asked_for():
    assert look(ROWS).read([3, 0, 3]) == [ROWS[3], ROWS[0], ROWS[3]]


@pytest.mark.parametrize(
    ("lengths", "probed"),
    [(LENGTHS, [1, 2]), ((2, 5, 2), [2, 5]), ((3, 3, 3), [3, 3]), ((7,), [7])],
)
def test_the_probes_are_two_short_examples_of_different_lengths_where_there_are(
    lengths, probed
):
    found = look([{"text": "a" * n, "number": n} for n in lengths])
    assert [row["number"] for row in found.probes()] == probed


# --- what is refused ----------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        iter(ROWS),
        ROWS[0],
        {*"ab"},
        DatasetDict({"train": Dataset.from_list(ROWS)}),
        pd.DataFrame(ROWS),
        "train.jsonl",
        b"train",
        7,
    ],
    ids=lambda data: type(data).__name__,
)
def test_what_gives_no_row_for_a_number_is_refused(data):
    assert not read_by_number(data)
    with refused(
        "examples must have a length and be read by number, got a "
        f"{type(data).__name__}; make it a list or a datasets.Dataset."
    ):
        look(data)


@pytest.mark.parametrize("data", [ROWS, tuple(ROWS), Dataset.from_list(ROWS)])
def test_what_gives_a_row_for_a_number_is_taken(data):
    assert read_by_number(data)
    assert [(i, dict(row)) for i, row in numbered(data)] == list(enumerate(ROWS))


def test_no_example_is_refused():
    with refused("the data hold no example; give at least one."):
        look([])


@pytest.mark.parametrize("wrong", ["a text", ["a"], None])
def test_an_example_that_is_no_mapping_is_named(wrong):
    with refused(
        f"example 3 is a {type(wrong).__name__}; expected a dictionary of columns."
    ):
        look([*ROWS[:3], wrong])


@pytest.mark.parametrize("make", [list, Dataset.from_list])
def test_a_missing_column_is_told_before_anything_is_read(make):
    told = Told()
    task = SequenceClassification(tiny_tokenizer())
    with refused("column 'label' is missing: expected one of: text, number."):
        look_at(make(ROWS), task, told, text=True)
    assert told.events == []


def test_a_missing_value_is_told_by_the_number_of_its_example():
    with pytest.raises(DataError, match=r"^example 2: "):
        look([*ROWS[:2], {"text": None, "number": 1}])


def test_an_example_that_is_too_long_is_named():
    with refused(
        "example 2: 8 tokens are more than max_length=7 in the row "
        "{'text': 'aaaaaaa', 'number': 7}; raise max_length, or let truncation cut the "
        "row."
    ):
        look(ROWS, language(max_length=7, truncation="refuse"))


def test_a_wrong_label_is_told_by_the_number_of_its_example():
    rows = [{"text": "a", "label": label} for label in ("good", "bad", "god")]
    task = SequenceClassification(tiny_tokenizer(), labels=["bad", "good"])
    with refused(
        "example 2: label 'god' is unknown in the row {'text': 'a', 'label': 'god'}: "
        "expected one of: bad, good; did you mean 'good'?."
    ):
        look(rows, task)


def test_an_example_that_cannot_be_hashed_is_named():
    with refused(
        "example 1: an example cannot be fingerprinted: a value of type object has no "
        "fixed form."
    ):
        look([ROWS[0], {"text": "a", "number": object()}])


def test_an_example_without_a_token_to_learn_from_is_named():
    with pytest.raises(
        DataError, match=r"^example 1: no token to learn from in the row \{'text': ''"
    ):
        look([ROWS[0], {"text": "", "number": 0}])


def test_a_label_that_no_text_shows_is_told_too():
    task = SequenceClassification(tiny_tokenizer(), num_labels=2)
    with refused(
        "example 1: label 2 is outside of the classes 0 to 1 in the row {'text': 'b', "
        "'label': 2}; correct the row or take it out."
    ):
        look([{"text": "a", "label": 1}, {"text": "b", "label": 2}], task)


def test_an_example_that_the_model_cannot_read_is_named():
    def check(example):
        if example["number"] == 7:
            raise DataError("no.")

    with refused("example 2: no."):
        look_at(ROWS, language(), Told(), text=True, check=check)


def test_half_a_surrogate_pair_is_tokenised_and_described_as_its_sign():
    found = look([{"text": "a\ud83d"}])
    assert found.lengths == [3]
    assert found.table["text"].tolist() == ["a\ufffd"]


def test_rows_of_draws_follow_each_other_and_have_hashes_of_their_own():
    rows = look(ROWS[:2]).drawn(3)
    assert len(rows.dataset) == 6
    assert rows.table["index"].tolist() == [0, 1, 2, 3, 4, 5]
    assert rows.table["tokens"].tolist() == [4] * 3 + [2] * 3
    assert len(set(rows.hashes)) == 6
    more = look(ROWS[:2]).drawn(4)
    assert rows.hashes == [*more.hashes[:3], *more.hashes[4:7]]
    read = rows.read([1, 5])
    assert [row["number"] for row in read] == [3, 1]
    assert [row[DRAW][1] for row in read] == [1, 2]


def test_a_row_is_named_by_its_example_and_its_draw():
    rows = look(ROWS[:2])
    assert rows.name(1) == "example 1"
    assert rows.drawn(1).name(1) == "example 1"
    assert rows.drawn(3).name(5) == "example 1 (draw 2)"
    assert (rows.draws, rows.drawn(3).draws) == (1, 3)
