"""One stand-alone script a library: the same job, as a careful user would write it.

    python -P SCRIPT FOLDER OUT.npy [WORDS]

FOLDER holds `base/`, `adapter/`, `train.jsonl` and `queries.jsonl` (rows with `text`
and `label`); OUT.npy gets the scores `[Q, N]`, in the library's own sign; the rows that
matter most to the first query are printed. `bench_rivals.py` runs and measures them.
"""

from dataclasses import dataclass
from pathlib import Path

_FOLDER = Path(__file__).resolve().parent
_DATTRI = ("dattri==0.3.0",)


@dataclass(frozen=True)
class Line:
    """A line of the table.

    Attributes:
        name: Of the script, and of the line.
        method: Ours that it is compared with.
        packages: What its environment gets, without requirements.
        sign: 1 where a negative score lowers the query's loss, as here; else -1.
        words: What the script gets besides.
        script: When its name is another.
    """

    name: str
    method: str
    packages: tuple[str, ...] = ()
    sign: int = -1
    words: tuple[str, ...] = ()
    script: str | None = None

    @property
    def path(self) -> Path:
        """The script."""
        return _FOLDER / f"{self.script or self.name}.py"


TABLE = (
    Line("published_datainf", "datainf", sign=1),
    Line("dattri_datainf", "datainf", _DATTRI),
    Line("dattri_datainf_blocks", "datainf", _DATTRI),
    Line(
        "kronfluence_ekfac",
        "ekfac",
        (
            "kronfluence==1.0.1",
            "einops==0.8.2",
            "opt_einsum==3.4.0",
            "einconv==0.1.0",
        ),
    ),
    Line(
        "bergson_dot",
        "dot",
        (
            "bergson==2.5.1",
            "docstring_parser==0.18.0",
            "ml_dtypes==0.6.0",
            "natsort==8.4.0",
            "optree==0.20.0",
            "petname==2.9",
            "simple_parsing==0.1.9",
            "torchopt==0.7.3",
        ),
    ),
    Line("traker_trak", "trak", ("traker==0.3.2",)),
)
OURS = {
    method: Line(f"ours_{method}", method, sign=1, words=(method,), script="ours")
    for method in sorted({line.method for line in TABLE})
}
