"""Pictures: WebP alone, the same again after saving."""

import base64
import io

import pandas as pd
import pytest
from PIL import Image

from datainf.core.errors import OptionError, StoreError
from datainf.core.pictures import COLUMNS, Pictures
from datainf.core.token_scores import Side


def _webp() -> bytes:
    drawn = io.BytesIO()
    Image.new("RGB", (3, 2), "red").save(drawn, "WEBP")
    return drawn.getvalue()


WEBP = _webp()


def table(*rows):
    return pd.DataFrame(rows, columns=list(COLUMNS))


def test_each_side_has_its_own_pictures():
    drawn = Pictures(table(("train", 3, WEBP), ("query", 3, WEBP + b"x")))
    (found,) = drawn.of(Side.QUERY).items()
    assert found[0] == 3
    kind, _, letters = found[1].partition(",")
    assert kind == "data:image/webp;base64"
    assert base64.b64decode(letters) == WEBP + b"x"
    assert list(drawn.of(Side.TRAIN)) == [3]


def test_saving_and_loading_gives_the_same(tmp_path):
    drawn = Pictures(table(("train", 3, WEBP)))
    found = Pictures.load(drawn.save(tmp_path / "pictures.parquet"))
    pd.testing.assert_frame_equal(found.table, drawn.table)


@pytest.mark.parametrize("picture", [b"<svg onload=alert(1)>", "data:", None, b""])
def test_what_is_no_webp_is_refused(picture):
    message = (
        r"^the picture of train 3 must be the bytes of a WebP file, got "
        rf"{type(picture).__name__}\.$"
    )
    with pytest.raises(OptionError, match=message):
        Pictures(table(("train", 3, picture)))


def test_other_columns_are_refused():
    with pytest.raises(OptionError, match=r"^pictures must have the columns side, ind"):
        Pictures(pd.DataFrame({"index": []}))


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "x.parquet").write_bytes(b"no parquet")
    with pytest.raises(StoreError, match=r"x\.parquet holds no pictures \("):
        Pictures.load(tmp_path / "x.parquet")
