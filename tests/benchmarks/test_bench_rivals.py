"""The race with other libraries: each script is in the table, and runs are watched."""

import json
import sys

import numpy as np
import pytest

from benchmarks import bench_rivals, rivals_page, watched
from benchmarks.bench_rivals import check_shapes, chosen, run
from benchmarks.rivals import OURS, TABLE, Line
from benchmarks.rivals_page import Found, agreement, lines_of_code, table
from benchmarks.small_adapter import write_rows
from benchmarks.watched import Watched, watch

FOLDER = OURS["dot"].path.parent
SCORES = np.array([[3.0, 1, 2, 5], [1, 2, 3, 4]])


def took(seconds):
    return Watched(seconds, anonymous=2 * 2**20, resident=3 * 2**20, error=None)


def test_every_script_is_a_line_and_every_line_a_script():
    scripts = {path.stem for path in FOLDER.glob("*.py")} - {"__init__"}
    assert scripts == {line.path.stem for line in (*TABLE, *OURS.values())}
    assert all(line.method in OURS for line in TABLE)


def test_every_package_of_a_rival_has_its_version():
    packages = [package for line in TABLE for package in line.packages]
    assert packages
    assert all(package.count("==") == 1 for package in packages)


def test_a_rival_is_chosen_with_the_line_of_ours_it_is_compared_with():
    assert [line.name for line in chosen(["bergson"])] == ["ours_dot", "bergson_dot"]
    assert {line.name for line in chosen(["ours"])} == {f"ours_{m}" for m in OURS}
    assert len(chosen([""])) == len(TABLE) + len(OURS)
    assert chosen(["nobody"]) == []


def test_lines_of_code_are_neither_blank_nor_comment_nor_docstring():
    source = '"""Doc\n\nlonger."""\n\nimport sys  # why\n\n# alone\n'
    source += 'def f(\n    a,\n):\n    """Doc."""\n    return """two\nlines"""\n'
    assert lines_of_code(source) == 6
    assert lines_of_code('f("""not\na docstring""")\n') == 2


def test_agreement_is_of_each_query_and_of_the_top(monkeypatch):
    other = SCORES * [[1], [-1]]
    assert agreement(SCORES, SCORES) == pytest.approx((1, 1, 4))
    assert agreement(SCORES, other) == pytest.approx((0, -1, 4))
    monkeypatch.setattr(rivals_page, "SHOWN", 1)
    assert agreement(SCORES, other)[2] == 0.5


def test_the_table_shows_numbers_or_the_reason_why_there_are_none():
    (rival,) = [line for line in TABLE if line.name == "bergson_dot"]
    ours = Found(OURS["dot"], [took(1), took(4), took(2)], [took(1)], SCORES)
    same = Found(rival, [took(70)], [took(5)], SCORES)
    odd = Found(rival, [took(70)], [took(5)], SCORES[:, :2])
    check_shapes([ours, odd])
    rows = table([ours, same, odd])
    assert len({row.count("|") for row in rows}) == 1
    assert rows[2].startswith("| ours_dot | 2.0 (1.0–4.0) | 3 | 1.0 | 2 | 3 |")
    assert rows[3].endswith(" | 1.0000 | 1.0000 | 4.0 |")
    assert "failed: scores of shape (2, 2), expected (2, 4)" in rows[4]


def test_a_process_is_timed_and_its_own_memory_seen(monkeypatch):
    monkeypatch.setattr(watched, "_EVERY", 0.01)
    held = "import time; held = b'x' * 50_000_000; time.sleep(0.3)"
    seen = watch([sys.executable, "-c", held], {})
    assert 0.3 <= seen.seconds < 30
    assert 50_000_000 < seen.anonymous < seen.resident < 90_000_000
    assert seen.error is None


@pytest.mark.parametrize(
    ("program", "complaint"),
    [
        ("import sys; sys.exit('one\\rtwo\\n\\n')", "two"),
        ("import sys; sys.exit(3)", "it ended with 3"),
        ("import os; os.kill(os.getpid(), 9)", "it ended with -9"),
    ],
)
def test_a_failure_is_told_by_its_last_words(program, complaint):
    assert watch([sys.executable, "-c", program], {}).error == complaint


@pytest.fixture
def jobs(tmp_path):
    folders = tmp_path / "whole", tmp_path / "first"
    for folder, count in zip(folders, (2, 1), strict=True):
        folder.mkdir()
        write_rows(folder / "queries.jsonl", [{"text": "a", "label": 0}] * count)
    return folders


def test_scores_of_a_script_are_read_with_our_sign(jobs, tmp_path, monkeypatch):
    script = (
        "import sys, numpy; q = len(open(sys.argv[1] + '/queries.jsonl').readlines())"
    )
    script += "\nnumpy.save(sys.argv[2], numpy.full((q, 3), float(sys.argv[3])))"
    (tmp_path / "made.py").write_text(script, encoding="utf-8")
    monkeypatch.setattr("benchmarks.rivals._FOLDER", tmp_path)
    one = Found(Line("made", "dot", sign=-1, words=("7",)))
    run(one, jobs, tmp_path)
    assert one.error is None
    assert one.scores is not None
    assert one.scores.tolist() == [[-7.0] * 3] * 2
    assert (len(one.runs), len(one.starts)) == (1, 1)
    odd = Found(Line("made", "dot", words=("nan",)))
    run(odd, jobs, tmp_path)
    assert odd.error == "6 scores are NaN"


def test_what_cannot_be_installed_is_told(jobs, tmp_path, monkeypatch):
    def refused(*_):
        raise RuntimeError("cannot install it: no such version")

    monkeypatch.setattr(bench_rivals, "environment", refused)
    one = Found(TABLE[1])
    run(one, jobs, tmp_path)
    assert one.error == "cannot install it: no such version"
    assert json.loads(json.dumps(bench_rivals.told(one)))["runs"] == []
