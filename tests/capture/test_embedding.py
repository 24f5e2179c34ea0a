"""The embedding rule against autograd, one example at a time."""

import pytest
import torch

from datainf.capture.embedding import embedding_weight


@pytest.mark.parametrize("shape", [(), (7,), (3, 2)])
@pytest.mark.parametrize("padding", [None, 1])
def test_the_rule_equals_autograd_for_any_shape_of_indices(
    shape: tuple[int, ...], padding: int | None
) -> None:
    layer = torch.nn.Embedding(5, 3, padding_idx=padding).double()
    ids = torch.randint(5, (11, *shape))
    g = torch.randn(11, *shape, 3, dtype=torch.float64)
    found = embedding_weight(layer, ids, g)
    for i in range(11):
        (right,) = torch.autograd.grad(layer(ids[i]), [layer.weight], g[i])
        torch.testing.assert_close(found[i], right)
