"""Scoring a store three times larger than the memory that a process may have.

Store and queries lie on disk; the limit is on anonymous memory (`RLIMIT_DATA`), above
what the process held before.
"""

import json

import pytest
import torch

from datainf.core.factors import BlockSums, FactorSums
from datainf.estimators.table import METHODS
from datainf.store.factors import rows_hash, write_sums
from tests.processes import python
from tests.store.stores import big_store

MIB = 2**20
LIMIT = 128 * MIB

LIMITED = """
import json, os, re, resource, sys
import torch
from datainf.store.reader import open_store
from datainf.workflows.score import score

def own(key):
    status = open("/proc/self/status").read()
    return int(re.search(key + r":\\s+(\\d+) kB", status).group(1)) * 1024

torch.set_num_threads(1)
torch.linalg.eigh(torch.eye(64).double() @ torch.eye(64).double())
train, queries = (open_store(path) for path in sys.argv[1:3])
train.examples  # the parquet library's own pool
limit = own("VmData") + int(sys.argv[3])
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
scores = score(train, queries, method=sys.argv[4], **json.loads(sys.argv[5]))
print(*scores.values.shape, flush=True)
os._exit(0)  # how threads of libraries end without memory is not what is asked
"""


def with_factors(store):
    """Lay factors of a square matrix beside a store of one block."""
    manifest, side = store.manifest, 256
    sums = FactorSums()
    sums.add({"w": BlockSums(torch.eye(side), torch.eye(side), 1)})
    of = rows_hash(manifest, store.examples["hash"].tolist(), manifest.shard_count)
    write_sums(store.path, sums, shards=manifest.shard_count, of=of)


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """A training store of 384 MiB in shards of 16 MiB, and three queries."""
    folder = tmp_path_factory.mktemp("big")
    size = MIB // 16
    train = big_store(folder / "train", rows=1536, size=size, shard_rows=64)
    with_factors(train)
    assert sum(shard.bytes for shard in train.manifest.shards) >= 3 * LIMIT
    return train.path, big_store(folder / "q", rows=3, size=size, shard_rows=3).path


# A narrow projection, since the time is that of 1536 × 65536 × k products. What is
# estimated counts the largest portions there may be, so it passes half of the limit.
OPTIONS = {"trak": {"projection": 101}, "auto": {"max_memory": "256MiB"}}


@pytest.mark.parametrize("method", [m for m in METHODS if m != "less"])
def test_a_store_three_times_larger_than_the_memory_limit_is_scored(stores, method):
    options = json.dumps(OPTIONS.get(method, {}))
    done = python("-c", LIMITED, *stores, LIMIT, method, options, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "3 1536\n"
