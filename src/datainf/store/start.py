"""What a writer finds in its folder, and what it is to make of it.

Nothing there: a new store. A store of the same: gone on with, or already done. A store
of the first rows of what is asked for: it grows. Anything else is refused.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from datainf.core.identity import Identity
from datainf.core.layout import Layout
from datainf.core.options import CollectOptions, OnNonfinite
from datainf.store.atomic import write_whole
from datainf.store.checks import refuse_reserved
from datainf.store.examples import as_table
from datainf.store.excluded import (
    excluded_in,
    parameters_in,
    require_skipping,
    without,
)
from datainf.store.growth import grown, grows
from datainf.store.manifest import (
    MANIFEST_NAME,
    Examples,
    Manifest,
    as_json,
    default_shard_rows,
)
from datainf.store.resume import begin, existing, is_whole, require_same


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The store that is asked for.

    Attributes:
        layout: The blocks of a whole gradient; the options may project it.
        identity: What the gradients are made from.
        options: How they are gathered and kept.
        examples: One row an example: `index`, `hash`, `tokens`, and `text` if
            `options.store_text`.
        library_version: Version of datainf.
        coverage: JSON values: which rule each parameter's gradients come from.
    """

    layout: Layout
    identity: Identity
    options: CollectOptions
    examples: pd.DataFrame
    library_version: str
    coverage: Sequence[Any] = ()

    @cached_property
    def table(self) -> pa.Table:
        """The examples in their form on disk, checked."""
        refuse_reserved(self.layout)
        return as_table(self.examples, store_text=self.options.store_text)

    @cached_property
    def manifest(self) -> Manifest:
        """The manifest of the store before it is begun."""
        projection = self.options.projection
        layout = self.layout.projected(projection)
        shard_rows = self.options.shard_rows or default_shard_rows(
            layout, self.options.dtype
        )
        identity = self.identity.projected(projection)
        return Manifest(
            library_version=self.library_version,
            layout=layout,
            # As it will be read back, so that a resumed run compares like with like.
            identity=Identity.from_dict(as_json(identity.to_dict())),
            options=replace(self.options, shard_rows=shard_rows),
            coverage=tuple(as_json(list(self.coverage))),
            examples=Examples(len(self.table), ""),
        )


@dataclass(frozen=True)
class Start:
    """What lies in a folder beside what is asked for.

    Attributes:
        folder: The store's folder.
        found: What lies there; None for nothing.
        asked: What is asked for, without the rows that `found` leaves out.
        table: Its examples.
        grows: Whether `found` is the beginning of it.
    """

    folder: Path
    found: Manifest | None
    asked: Manifest
    table: pa.Table
    grows: bool

    @classmethod
    def look(cls, folder: Path, whole: Asked) -> "Start":
        """Look at a folder; nothing is written.

        Args:
            folder: The store's folder.
            whole: What is asked for, of every row.

        Returns:
            What is to be done.
        """
        table, asked = whole.table, whole.manifest
        found = existing(folder)
        if found is None:
            return cls(folder, None, asked, table, grows=False)
        left_out = excluded_in(found.coverage)
        if left_out:
            table = without(table, left_out)
            entries = [row.to_dict() for row in left_out]
            asked = replace(
                asked,
                examples=Examples(len(table), ""),
                coverage=(*parameters_in(asked.coverage), *entries),
            )
        longer = grows(folder, found, asked, table)
        if not longer:
            require_same(folder, found, asked)
        if asked.options.on_nonfinite == OnNonfinite.REFUSE:
            require_skipping(folder, left_out)
        return cls(folder, found, asked, table, longer)

    @property
    def done(self) -> bool:
        """Whether nothing is left to do."""
        return (
            self.found is not None
            and not self.grows
            and is_whole(self.folder, self.found)
        )

    def begin(self) -> Manifest:
        """Bring the locked folder into a state from which shards can be written.

        Returns:
            The manifest as it lies there.
        """
        found = self.found
        if found is not None and self.grows:
            # From here on what lies there is an unfinished store like any other.
            found = grown(found, self.asked)
            write_whole(self.folder / MANIFEST_NAME, [found.to_bytes()])
        return begin(
            self.folder, found or self.asked, self.table, new=self.found is None
        )
