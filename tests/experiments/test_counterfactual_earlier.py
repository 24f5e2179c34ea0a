"""The earlier measurement stands beside ours where the setting is the same."""

from datainf.experiments import counterfactual_earlier as pages
from datainf.experiments.counterfactual_page import lds_cells


def test_every_number_stands_beside_ours(judged):
    findings, _ = judged
    *_, table = pages.earlier(lds_cells(findings))
    lines = table.splitlines()[2:]
    there = {"dot:normalize=none", "cosine"}
    wanted = [
        name for values in pages.EARLIER.values() for name in values if name in there
    ]
    # 50 % reshuffled and 50 % kept are judged here, 5 % kept is not.
    assert len(lines) == len(wanted) - 2
    assert lines[0].startswith("| 50% reshuffled | `dot:normalize=none` | .366 | ")


def test_nothing_is_said_of_another_setting():
    assert pages.earlier([]) == []
