"""Pictures of examples: small images that stand beside their texts in a report.

One table, a row a picture: `side` (whose example it is), `index` (in its data) and
`picture`: the bytes of a WebP file. Needs pandas, no torch and no image library.
"""

import base64
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from datainf.core.durable import write_durably
from datainf.core.errors import OptionError, StoreError
from datainf.core.token_scores import Side

COLUMNS = ("side", "index", "picture")
_WEBP = b"WEBP"


@dataclass(frozen=True, eq=False)
class Pictures:
    """Small images of training examples and queries.

    Attributes:
        table: The columns above.
    """

    table: pd.DataFrame

    def __post_init__(self) -> None:
        """Check the columns, and that every picture is what it says.

        Raises:
            OptionError: If not.
        """
        if tuple(self.table.columns) != COLUMNS:
            raise OptionError(
                f"pictures must have the columns {', '.join(COLUMNS)}, got "
                f"{', '.join(map(str, self.table.columns))}."
            )
        for side, index, picture in self.table.itertuples(index=False):
            if not isinstance(picture, bytes) or picture[8:12] != _WEBP:
                raise OptionError(
                    f"the picture of {side} {index} must be the bytes of a WebP file, "
                    f"got {type(picture).__name__}."
                )

    def of(self, side: Side) -> dict[object, str]:
        """Give one side's pictures as they stand in a page.

        Args:
            side: Whose.

        Returns:
            Index -> data URI.
        """
        own = self.table[self.table["side"] == str(side)]
        return {
            index: f"data:image/webp;base64,{base64.b64encode(picture).decode()}"
            for index, picture in zip(own["index"], own["picture"], strict=True)
        }

    def save(self, path: str | Path) -> Path:
        """Write the table as one parquet file; `load` gives it back.

        Args:
            path: The file.

        Returns:
            The file.
        """
        write_durably(Path(path), [self.table.to_parquet(index=False)])
        return Path(path)

    @classmethod
    def load(cls, path: str | Path) -> "Pictures":
        """Read what `save` wrote.

        Args:
            path: The file.

        Returns:
            The pictures.

        Raises:
            StoreError: If it is damaged or something else.
        """
        try:
            return cls(pd.read_parquet(path))
        except (OSError, ValueError) as error:  # an OptionError is a ValueError
            raise StoreError(
                f"{path} holds no pictures ({error}); attribute again."
            ) from error
