"""Reading a store larger than the memory that a process may have of its own.

A store of 96 MiB is read within a limit of 32 MiB. Anonymous memory is `RssAnon`; a
mapped store is the kernel's.
"""

import re
from pathlib import Path

import pytest

from tests.processes import python
from tests.store.stores import big_store

MIB = 2**20
LIMIT = 32 * MIB

# Reads the store twice, portion by portion, with a product like a method's.
LIMITED = """
import re, resource, sys
import torch
from datainf.store.reader import open_store

def own(key):
    status = open("/proc/self/status").read()
    return int(re.search(key + r":\\s+(\\d+) kB", status).group(1)) * 1024

torch.set_num_threads(1)
store = open_store(sys.argv[1])
query = torch.ones(3, store.layout.total)
torch.ones(64, 64) @ torch.ones(64, 64)  # what the first product allocates
limit = own("VmData") + int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
if sys.argv[3] == "stream":
    for _ in range(2):
        for part in store.rows():
            scores = query @ part.gradients["w"].T
            assert scores.min() == scores.max() == store.layout.total
            del part
else:
    torch.cat([part.gradients["w"] for part in store.rows()])
print("read", len(store))
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """96 MiB in shards of 8 MiB: 3 × the limit."""
    path = tmp_path_factory.mktemp("big") / "store"
    return big_store(path, rows=384, size=MIB // 16, shard_rows=32)


def anonymous() -> int:
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    found = re.search(r"RssAnon:\s+(\d+) kB", status)
    assert found
    return int(found.group(1)) * 1024


@pytest.mark.parametrize("size", [None, 5])
def test_reading_a_store_takes_no_memory_of_its_size(store, size):
    before, most, total = anonymous(), 0, 0.0
    for part in store.rows(size=size):
        total += float(part.gradients["w"].sum())
        most = max(most, anonymous() - before)
    assert total == 384 * (MIB // 16)
    assert most < LIMIT
    assert sum(shard.bytes for shard in store.manifest.shards) > 3 * LIMIT


def test_a_store_three_times_larger_than_the_memory_limit_is_read(store):
    done = python("-c", LIMITED, store.path, LIMIT, "stream", timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "read 384\n"


def test_the_limit_is_a_limit(store):
    done = python("-c", LIMITED, store.path, LIMIT, "whole", timeout=60)
    assert done.returncode != 0
    assert "memory" in done.stderr
