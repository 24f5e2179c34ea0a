"""A review queue as the import files of labelling tools: plain JSON, no dependency.

- Argilla 2: a list of records `{id, fields, metadata, suggestions, responses, vectors}`
  as `dataset.records.from_json(FILE)` reads them, for a data set with the text field
  `text` and the label question `label`.
- Label Studio: a list of tasks `{data, predictions}`, for a labelling configuration
  with `<Text name="text" value="$text"/>` and `<Choices name="label" toName="text">`.

The model's label is the suggestion, with its probability as the score; of tasks without
classes there is none. Labels are texts there, whatever they are in the data.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from datainf.core.clean_options import ReviewTool
from datainf.core.encodable import encodable
from datainf.core.errors import OptionError

AGENT = "datainf"


def text_of(example: Mapping[str, Any], label: str) -> str:
    """Give what a person reads of a row: its texts, less the label.

    Args:
        example: The row.
        label: The label's column.

    Returns:
        The texts, parted by empty lines.

    Raises:
        OptionError: If the row holds none, as one of an image or of token numbers.
    """
    texts = [v for k, v in example.items() if k != label and isinstance(v, str) and v]
    if not texts:
        raise OptionError(
            "a labelling tool is given texts, and a row of these data holds none "
            f"besides {label!r}; write the queue as .csv or .parquet instead."
        )
    return str(encodable("\n\n".join(texts)))


def exported(table: pd.DataFrame, texts: Sequence[str], tool: ReviewTool) -> bytes:
    """Write a queue for a tool.

    Args:
        table: As `review_table` gives it.
        texts: What a person reads of each row.
        tool: For which.

    Returns:
        A JSON file.
    """
    rows: list[Any] = table.to_dict(orient="records")
    made = [_TOOLS[tool](row, text) for row, text in zip(rows, texts, strict=True)]
    body = json.dumps(encodable(made), ensure_ascii=False, indent=2)
    return f"{body}\n".encode()


def _about(row: Mapping[str, Any]) -> dict[str, Any]:
    """Give what both tools show beside a text."""
    known = {
        "index": int(row["index"]),
        "rank": int(row["rank"]),
        "suspicion": float(row["suspicion"]),
        "loss": float(row["loss"]),
        "reason": row["reason"],
    }
    return known | ({"given": str(row["label"])} if "label" in row else {})


def _argilla(row: Mapping[str, Any], text: str) -> dict[str, Any]:
    suggestions = {}
    if "model_label" in row:
        suggestions["label"] = {
            "value": str(row["model_label"]),
            "score": float(row["model_probability"]),
            "agent": AGENT,
        }
    return {
        "id": str(row["index"]),
        "fields": {"text": text},
        "metadata": _about(row),
        "suggestions": suggestions,
        "responses": {},
        "vectors": {},
    }


def _label_studio(row: Mapping[str, Any], text: str) -> dict[str, Any]:
    predictions = []
    if "model_label" in row:
        choice = {
            "id": f"{AGENT}-{row['index']}",
            "from_name": "label",
            "to_name": "text",
            "type": "choices",
            "value": {"choices": [str(row["model_label"])]},
        }
        predictions.append(
            {
                "model_version": AGENT,
                "score": float(row["model_probability"]),
                "result": [choice],
            }
        )
    return {"data": {"text": text, **_about(row)}, "predictions": predictions}


_TOOLS: Mapping[ReviewTool, Callable[[Mapping[str, Any], str], dict[str, Any]]] = {
    ReviewTool.ARGILLA: _argilla,
    ReviewTool.LABEL_STUDIO: _label_studio,
}
