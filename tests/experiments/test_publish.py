"""Pages, figures and records land in one folder, also in that of the run itself."""

from datainf.experiments.publish import publish
from datainf.experiments.records import Records


def test_page_figures_and_records_lie_together(tmp_path):
    records = Records(tmp_path / "out" / "x.jsonl", {})
    records.add({"seed": 0}, {"auc": 0.5})
    for folder in (tmp_path / "docs", tmp_path / "out", tmp_path / "docs"):
        page = publish(
            "x", page="# X\n", figures={"x": "<svg/>"}, records=records, folder=folder
        )
        assert page.read_text() == "# X\n"
        assert sorted(p.name for p in folder.iterdir()) == ["x.jsonl", "x.md", "x.svg"]
        assert (folder / "x.jsonl").read_bytes() == records.path.read_bytes()
