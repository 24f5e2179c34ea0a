"""Small batches are faster on a CPU, where activations stay in its caches.

The two models of `bench_capture`, the same rows in batches of so many padded tokens,
one after the other in one run, again and again.
"""

import statistics
import warnings
from functools import partial

import torch

from benchmarks.bench_capture import ROWS, Case, decoder, encoder
from benchmarks.measure import listed, seconds
from datainf.capture.collect import collect_shard
from datainf.capture.devices import batch_tokens_on
from datainf.capture.session import CaptureSession
from datainf.integrations.peft import adapter_of

BUDGETS, REPEATS = (256, 512, 1024, 2048, 4096), 5


def measure(case: Case) -> None:
    """Print for each size the medians of seconds against the default's, in one run."""
    adapter = adapter_of(case.model)
    lengths = [case.task.length(example) for example in case.examples]

    def ours(budget: int) -> None:
        with CaptureSession(case.model, adapter, case.task) as session:
            collect_shard(
                session, case.task, case.examples, lengths=lengths, budget=budget
            )

    default = batch_tokens_on(torch.device("cpu"))
    ours(default)
    rounds = [
        {budget: seconds(partial(ours, budget)) for budget in BUDGETS}
        for _ in range(REPEATS)
    ]
    print(f"{case.name}: rows={ROWS} threads={torch.get_num_threads()}")
    for budget in BUDGETS:
        ratios = [one[budget] / one[default] for one in rounds]
        middle = statistics.median(one[budget] for one in rounds)
        print(
            f"{budget:5d} tokens: {middle:.1f} s, / {default} "
            f"median {statistics.median(ratios):.2f}  all {listed(ratios)}"
        )


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    for case in (encoder(), decoder()):
        measure(case)
