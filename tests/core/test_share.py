"""A process's share of the rows; integrations/test_ranks adds up in real processes."""

import torch

from datainf.core.share import Share, Shared, share_of, whole_of
from datainf.store.memory import InMemorySource
from tests.shares import SharedRows, Threads

SOURCE = InMemorySource({"q": torch.eye(5)})


def test_a_source_without_a_share_is_read_whole():
    share = share_of(SOURCE, len(SOURCE))
    assert (share, share.leads) == (Share(range(5)), True)
    assert share_of([torch.ones(2, 3)], 2).rows == range(2)
    assert whole_of(SOURCE) is SOURCE


def test_one_process_alone_adds_nothing_up_and_copies_nothing():
    share, own = Share(range(5)), torch.ones(3, 5)
    for found in (share.add_up(own), share.largest(own), share.bring(own)):
        assert found is own
    assert share.spread(own, 5) is own
    assert share.least(-2.5) == -2.5


def test_a_share_is_found_on_the_source_and_leads_to_the_whole():
    share = Share(range(2, 4), rank=1, ranks=2)
    mine = SharedRows(SOURCE, share)
    assert share_of(mine, 5) is share
    assert whole_of(mine) is SOURCE
    assert (share.columns, share.leads) == (slice(2, 4), False)


def test_columns_of_all_are_put_side_by_side_and_the_least_number_is_everyones():
    threads, rows = Threads(3), [range(2), range(2, 2), range(2, 5)]
    whole = torch.arange(10.0).reshape(2, 5)

    def work(rank):
        share = threads.share(rank, rows[rank])
        found = share.spread(whole[:, share.columns], 5)
        return found.tolist(), share.least(3.0 - rank)

    assert threads.run(work) == [(whole.tolist(), 1.0)] * 3


def test_what_is_shared_can_be_gone_through_again():
    share = Share(range(2))
    shared = Shared(share, lambda: iter("ab"))
    assert [*shared, *shared] == list("abab")
    assert share_of(shared, 2) is share
