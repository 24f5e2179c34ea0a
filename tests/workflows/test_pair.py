"""The two stores of a run: where they lie, and what they give to `score`."""

import re
from typing import Any

import pytest
from datasets import Dataset, DatasetDict
from pandas import DataFrame

from datainf.core.errors import OptionError, StoreError
from datainf.core.options import Fisher
from datainf.workflows.pair import collected, collected_train, queries_name
from tests.cases import TokenTask, decoder, token_rows
from tests.workflows.collecting import ROWS

QUERIES, OTHERS = token_rows("decoder", seed=1)[:3], token_rows("decoder", seed=2)[:5]


def refused(message: str, kind: type[Exception] = OptionError) -> Any:
    return pytest.raises(kind, match=f"^{re.escape(message)}$")


def stores(queries: Any, cache: Any, **options: Any) -> Any:
    with collected(
        decoder(), ROWS, queries, TokenTask(), cache=cache, **options
    ) as pair:
        return pair


def test_sources_are_what_score_takes(tmp_path):
    pair = stores(QUERIES, tmp_path, fisher=Fisher.EMPIRICAL)
    assert pair.sources == {
        "train": pair.train,
        "queries": pair.queries,
        "curvature": None,
    }
    assert pair.train.path == tmp_path / "train"
    assert pair.queries.path == tmp_path / queries_name(QUERIES)


def test_drawn_labels_of_a_task_without_are_refused_before_the_first_gradient(tmp_path):
    with pytest.raises(OptionError, match="gives losses alone; use output='loss'"):
        stores(QUERIES, tmp_path, fisher=Fisher.SAMPLED)
    with (
        pytest.raises(OptionError, match="gives losses alone"),
        collected_train(
            decoder(), ROWS, TokenTask(), cache=tmp_path, fisher=Fisher.SAMPLED
        ),
    ):
        pass
    assert not any(tmp_path.iterdir())


def test_queries_whose_folders_collide_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("datainf.workflows.pair.sha256_of", lambda _: "0" * 64)
    stores(QUERIES, tmp_path)
    message = (
        f"{tmp_path / 'queries-00000000'} holds a store of something else: other data; "
        "rows: 3 against 5. Choose another folder, delete this one, or give reuse=DIR "
        "(--reuse DIR) to keep the rows that did not change."
    )
    with refused(message, StoreError):
        stores(OTHERS, tmp_path)


def test_the_name_of_queries_depends_on_what_they_are_and_not_on_their_container():
    name = queries_name(QUERIES)
    assert re.fullmatch(r"queries-[0-9a-f]{8}", name)
    assert queries_name(Dataset.from_list(QUERIES)) == name
    assert queries_name(tuple(QUERIES)) == name
    assert len({queries_name(q) for q in (QUERIES, QUERIES[::-1], QUERIES[:2])}) == 3


NO_ROWS: dict[str, Any] = {
    "dict": QUERIES[0],
    "DataFrame": DataFrame(QUERIES),
    "DatasetDict": DatasetDict(train=Dataset.from_list(QUERIES)),
    "str": "queries.jsonl",
    "generator": (row for row in QUERIES),
}


@pytest.mark.parametrize(("kind", "queries"), NO_ROWS.items(), ids=NO_ROWS)
def test_what_is_no_list_of_queries_is_refused(kind, queries):
    message = (
        f"queries must have a length and be read by number, got a {kind}; one query is "
        "a list of one dictionary."
    )
    with refused(message):
        queries_name(queries)
