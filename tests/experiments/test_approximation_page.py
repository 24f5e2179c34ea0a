"""The page of `approximation`: means of the records, and an honest verdict."""

from xml.etree import ElementTree

import pandas as pd
import pytest

from datainf.experiments import approximation_page as pages

PAPERS = {"dot": 0.5, "datainf": 0.64, "lissa": 0.45}


def cells(values: dict[str, float], falling: float = 0.1) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"data": "mrpc", "noisy": True, "rank": rank, "seed": seed, "method": name,
             "pearson": value - falling * (rank == 8), "spearman": value}
            for name, value in values.items()
            for rank in (1, 8)
            for seed in (0, 1)
        ]
    )  # fmt: skip


def test_the_table_is_the_mean_over_the_seeds(approximated):
    table = pages.table(approximated)
    own = table[
        (table["method"] == "dot") & (table["rank"] == 3) & ~table["noisy"].astype(bool)
    ]
    summary = pages.summary(approximated)
    line = summary[
        (summary["method"] == "dot") & (summary["rank"] == 3) & ~summary["noisy"]
    ].iloc[0]
    assert line["seeds"] == 2
    assert line["pearson"] == pytest.approx(own["pearson"].mean())


def test_the_papers_order_is_reproduced_or_not_by_the_numbers():
    (said,) = pages.verdicts(cells(PAPERS))
    assert "(datainf > dot > lissa) is **reproduced**" in said
    assert "falls for datainf, dot and lissa" in said
    (said,) = pages.verdicts(cells({**PAPERS, "lissa": 0.9}, falling=0))
    assert "is **not reproduced**: ours is lissa > datainf > dot" in said
    assert "falls for none" in said
    assert pages.verdicts(cells({"dot": 0.5})) == []


def test_the_page_holds_both_noises_and_its_command(approximated):
    text = pages.page(approximated, "datainf reproduce approximation")
    assert "## sst2, noisy labels" in text
    assert "## sst2, clean labels" in text
    assert "| Pearson's r with Eq. 2 | r = 1 | r = 3 |" in text
    assert "```\ndatainf reproduce approximation\n```" in text


def test_the_figure_has_a_panel_for_each_noise_and_measure(approximated):
    svg = pages.drawing(approximated)
    ElementTree.fromstring(svg)
    assert svg.count('class="panel"') == 4
