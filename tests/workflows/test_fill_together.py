"""How processes take turns at a store, seen from one of them."""

import pytest

from datainf.core.errors import StoreError
from datainf.integrations.ranks import ALONE
from datainf.workflows import fill_together
from datainf.workflows.fill_together import led, require_seen
from tests.store.stores import write_store


def test_a_manifest_is_told_to_the_letter(tmp_path):
    manifest = write_store(tmp_path / "store").manifest
    assert led(ALONE, manifest).to_bytes() == manifest.to_bytes()


def test_a_file_of_another_process_must_show_up(tmp_path, monkeypatch):
    monkeypatch.setattr(fill_together, "_SEEN_WITHIN", 0.05)
    monkeypatch.setattr(fill_together, "_LOOK_AGAIN", 0.01)
    there = tmp_path / "there"
    there.touch()
    require_seen(there)
    message = (
        f"{tmp_path / 'gone'} is not there, though another process has written it: the "
        "store must lie on a file system that every machine sees."
    )
    with pytest.raises(StoreError, match=f"^{message}$"):
        require_seen(tmp_path / "gone")
