"""Which modules read a parameter, and how it would be collected."""

from torch import nn

from datainf.capture.readers import paths_of, readers_of
from datainf.core.adapter import Adapter, TrainedParameter
from datainf.core.layout import Block


class Vectors(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.ia3_l = nn.ParameterDict({"default": nn.Parameter(nn.Linear(2, 3).weight)})


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table, self.head = nn.Embedding(5, 3), nn.Linear(3, 5)
        self.head.weight = self.table.weight
        self.layers = nn.ModuleList([Vectors()])
        self.again = self.layers[0]


def adapter_for(model: nn.Module) -> Adapter:
    return Adapter(
        "all",
        tuple(
            TrainedParameter(Block(name, tuple(p.shape)), p, name)
            for name, p in model.named_parameters()
        ),
    )


def test_tied_weights_have_two_readers_and_containers_none() -> None:
    model = Model()
    adapter = adapter_for(model)
    readers = readers_of(model, adapter)
    found = {type(r.module): dict(r.names) for r in readers}
    assert found == {
        nn.Embedding: {"table.weight": "weight"},
        nn.Linear: {"table.weight": "weight", "head.bias": "bias"},
        Vectors: {"layers.0.ia3_l.default": "ia3_l.default"},
    }
    assert paths_of(readers, adapter.layout.names) == {
        "table.weight": "rule Embedding and rule Linear",
        "head.bias": "rule Linear",
        "layers.0.ia3_l.default": "replay Vectors",
    }


def test_a_parameter_that_nothing_holds_has_no_path() -> None:
    assert paths_of([], ["gone"]) == {"gone": ""}
