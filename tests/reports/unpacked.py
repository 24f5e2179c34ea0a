"""The data of a page, unpacked as its own script does."""

import base64
import gzip
import json
import re
from pathlib import Path
from typing import Any

import numpy as np


def packed_part(page: str, name: str) -> bytes:
    """Unpack one of the page's packed elements; nothing where it is empty."""
    found = re.search(rf'<script type="text/plain" id="{name}">([^<]*)</script>', page)
    assert found is not None
    letters = found.group(1)
    return gzip.decompress(base64.b64decode(letters)) if letters else b""


def page_data(file: Path) -> dict[str, Any]:
    return json.loads(packed_part(file.read_text(encoding="utf-8"), "data"))


def page_scores(file: Path) -> np.ndarray:
    """All scores that the page holds, in one line."""
    held = packed_part(file.read_text(encoding="utf-8"), "scores")
    return np.frombuffer(held, "<f4")


def listed_rows(data: dict[str, Any]) -> list[tuple[int, float]]:
    """Index and score of every listed row, query by query, duplicates behind theirs."""
    return [
        (int(data["rows"][each["row"]]["index"]), each["score"])
        for query in data["queries"]
        for side in query["sides"]
        for row in side["rows"]
        for each in (row, *row.get("twins", []))
    ]
