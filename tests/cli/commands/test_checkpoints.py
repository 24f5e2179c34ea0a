"""`--checkpoints` and `--checkpoint-limit`, and the checkpoints beside an adapter."""

import json
import shutil

import pytest

from tests.cli.command import refused, worked

RECIPE = "training: {save_strategy: epoch}\npeft: {target_modules: [q_proj]}\n"


@pytest.fixture(scope="module")
def adapter(lm, tmp_path_factory):
    """An adapter of two epochs of three steps, with both checkpoints."""
    folder = tmp_path_factory.mktemp("along")
    (folder / "recipe.yaml").write_text(RECIPE)
    worked(
        *(
            "train",
            "--model",
            lm.base,
            "--train",
            lm.train,
            "--out",
            folder / "adapter",
        ),
        *("--recipe", folder / "recipe.yaml", "--rank", 2, "--epochs", 2),
        *("--batch-size", 5, "--lr", 0.01),
    )
    return folder / "adapter"


@pytest.mark.parametrize("method", ["tracin", "less"])
def test_methods_along_training_find_the_checkpoints(method, adapter, lm, tmp_path):
    run = (
        "attribute",
        "--adapter",
        adapter,
        "--queries",
        lm.queries,
        "--method",
        method,
    )
    ran = worked(*run, "--out", tmp_path / "a", "--k", 2, "--format", "json")
    assert len(json.loads(ran.out)) == 3 * 2
    assert "checkpoint-3, weight 0.008" in ran.err
    assert "checkpoint-6, weight 0.003" in ran.err
    assert (tmp_path / "a" / "checkpoint-6" / "train").is_dir()
    again = worked("attribute", tmp_path / "a" / "run.yaml", "--out", tmp_path / "b")
    assert "checkpoint-3, weight" in again.err


def test_other_methods_are_averaged_over_those_that_are_named(adapter, lm, tmp_path):
    run = ("attribute", "--adapter", adapter, "--queries", lm.queries)
    named = ("--checkpoints", adapter / "checkpoints", "--checkpoint-limit", 1)
    ran = worked(*run, *named, "--out", tmp_path / "a")
    assert "checkpoint-6, weight 1:" in ran.err
    assert "checkpoint-3" not in ran.err
    line = refused(*run, "--checkpoint-limit", 1, "--out", tmp_path / "b")
    assert line.startswith("checkpoint_limit=1 came without checkpoints; name")


def test_tokens_are_not_scored_over_checkpoints(adapter, lm, tmp_path):
    shutil.copytree(adapter, tmp_path / "checkpoint-6")
    line = refused(
        *("attribute", "--adapter", adapter, "--queries", lm.queries, "--tokens", 1),
        *("--checkpoints", tmp_path, "--out", tmp_path / "a"),
    )
    assert line == (
        "tokens are scored at one state of the adapter; leave tokens or the "
        "checkpoints out."
    )
