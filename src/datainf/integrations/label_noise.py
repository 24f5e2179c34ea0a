"""Flip a known share of the labels, to measure how well wrong ones are found.

Which rows are flipped, and to what, depends on the seed and on what stands in a row,
not on where it stands: the rows whose salted hashes are smallest are taken, so that the
same rows are flipped when the data comes in another order. C classes.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from datasets import Dataset, DatasetInfo, Features, Value

from datainf.core.errors import DataError, OptionError, near
from datainf.integrations.fingerprint import hash_row, is_image

FLIPPED = "datainf_flipped"
"""The column that says which labels were flipped."""


def flip_labels(
    dataset: Dataset,
    label_column: str,
    share: float,
    seed: int,
    num_labels: int | None = None,
) -> tuple[Dataset, npt.NDArray[np.bool_]]:
    """Give some rows another label, chosen evenly among the other classes.

    Args:
        dataset: The rows; not changed.
        label_column: Column of class numbers, or of class names.
        share: Share of the rows to flip, in [0, 1]; exactly `round(share * N)` are.
        seed: Chooses rows and labels.
        num_labels: C, where labels are numbers; the highest label and one when None.

    Returns:
        The data with changed labels and the column `datainf_flipped`, and that column.

    Raises:
        DataError: If the label column is missing or holds no classes.
        OptionError: If `share` lies outside of [0, 1].
    """
    if not 0 <= share <= 1:
        raise OptionError(f"share of labels to flip must lie in [0, 1], got {share}.")
    if label_column not in dataset.column_names:
        raise DataError(
            f"column {label_column!r} is missing: "
            f"{near(label_column, dataset.column_names)}."
        )
    if FLIPPED in dataset.column_names:
        raise DataError(
            f"the data has a column {FLIPPED!r} already: its labels were flipped "
            "before; start from the original data."
        )
    labels = list(dataset[label_column])
    classes = _classes(labels, label_column, num_labels)
    digests = _row_digests(dataset, seed)
    count = round(share * len(labels))
    chosen = sorted(range(len(labels)), key=lambda i: digests[i])[:count]
    flags = np.zeros(len(labels), dtype=bool)
    flags[chosen] = True
    for i in chosen:
        step = np.random.default_rng(int.from_bytes(digests[i])).integers(
            1, len(classes)
        )
        labels[i] = classes[(classes.index(labels[i]) + int(step)) % len(classes)]
    return _with_columns(
        dataset, {label_column: labels, FLIPPED: flags.tolist()}
    ), flags


def _classes(labels: list[Any], column: str, num_labels: int | None) -> list[Any]:
    """List the classes: names in order, or numbers from 0."""
    if all(isinstance(label, str) for label in labels):
        classes: list[Any] = sorted(set(labels))
    elif all(type(label) is int and label >= 0 for label in labels):
        highest = max(labels, default=0)
        if num_labels is not None and highest >= num_labels:
            raise DataError(
                f"column {column!r} holds the label {highest}, outside of the classes "
                f"0 to {num_labels - 1}."
            )
        classes = list(range(highest + 1 if num_labels is None else num_labels))
    else:
        raise DataError(
            f"column {column!r} must hold class numbers from 0, or class names, in "
            "every row."
        )
    if len(classes) < 2:
        raise DataError(
            f"column {column!r} holds {len(classes)} class; flipping needs at least 2."
        )
    return classes


def _row_digests(dataset: Dataset, seed: int) -> list[bytes]:
    """Hash every row with a salt from the seed; equal rows are told apart by count."""
    salt = np.random.default_rng(seed).bytes(16)
    seen: Counter[str] = Counter()
    digests = []
    for row in dataset:
        # An image is written with its place in memory, which differs from run to run.
        plain = {k: hash_row({k: v}) if is_image(v) else v for k, v in row.items()}
        text = repr(sorted(plain.items()))
        digests.append(
            hashlib.sha256(
                salt + f"{seen[text]} {text}".encode(errors="surrogatepass")
            ).digest()
        )
        seen[text] += 1
    return digests


def _with_columns(dataset: Dataset, columns: Mapping[str, list[Any]]) -> Dataset:
    """Replace or append columns in memory, keeping order and types."""
    features = {**dataset.features, FLIPPED: Value("bool")}
    table = dataset.with_format("arrow")[:]
    for name, values in columns.items():
        if name in table.column_names:
            place = table.column_names.index(name)
            kind = table.schema.field(name).type
            table = table.set_column(place, name, pa.array(values, type=kind))
        else:
            table = table.append_column(name, pa.array(values))
    # Columns known to `datasets` as more than their Arrow type (class names) stay so.
    info = DatasetInfo(features=Features(features))
    return Dataset(table.replace_schema_metadata(None), info=info)
