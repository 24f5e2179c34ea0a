"""What a writer finds: nothing, the same, a beginning, or something else."""

from unittest.mock import Mock

import pytest

from datainf.core.errors import StoreError
from datainf.store.start import Start
from tests.store.stores import asked, files, opened, write_pending, write_store
from tests.store.test_growth import longer


def test_looking_at_a_folder_writes_nothing(tmp_path):
    assert not Start.look(tmp_path / "none", asked()).done
    assert not (tmp_path / "none").exists()


def test_a_whole_store_of_the_same_is_done(tmp_path):
    write_store(tmp_path / "store")
    before = files(tmp_path / "store")
    assert Start.look(tmp_path / "store", asked()).done
    assert files(tmp_path / "store") == before


def test_a_beginning_is_not_done_and_grows(tmp_path):
    write_store(tmp_path / "store")
    start = Start.look(tmp_path / "store", longer())
    assert start.grows
    assert not start.done


def test_a_growth_killed_after_its_first_manifest_goes_on(tmp_path, monkeypatch):
    write_store(tmp_path / "store")
    with monkeypatch.context() as patch:
        patch.setattr("datainf.store.start.begin", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            opened(tmp_path / "store", **vars(longer()))
    with opened(tmp_path / "store", **vars(longer())) as writer:
        assert [shard.number for shard in writer.pending_shards()] == [2]


def test_a_store_of_something_else_is_refused(tmp_path):
    with opened(tmp_path / "store") as writer:
        write_pending(writer)
    with pytest.raises(StoreError, match="holds a store of something else"):
        Start.look(tmp_path / "store", asked(examples=asked().examples[:5]))
