"""Where a batch goes, and what becomes of tensors on the way."""

import torch
from torch import nn

from datainf.capture.devices import device_of, input_embeddings, moved
from tests.tiny_models import tiny_llama


class Broken(nn.Module):
    def get_input_embeddings(self) -> nn.Module:
        raise NotImplementedError


def test_the_device_of_a_model_is_that_of_its_embeddings() -> None:
    model = nn.Module()
    model.first = nn.Linear(2, 2)
    model.embeddings = nn.Embedding(3, 2, device="meta")
    model.get_input_embeddings = lambda: model.embeddings  # type: ignore[assignment]
    assert device_of(model) == torch.device("meta")


def test_a_model_without_embeddings_has_the_device_of_its_first_parameter() -> None:
    assert device_of(nn.Linear(2, 2, device="meta")) == torch.device("meta")
    assert device_of(nn.Identity()) == torch.device("cpu")


def test_embeddings_are_found_where_there_are_some() -> None:
    model = tiny_llama()
    assert input_embeddings(model) is model.get_input_embeddings()
    assert input_embeddings(nn.Linear(2, 2)) is None
    assert input_embeddings(Broken()) is None


def test_a_moved_batch_holds_plain_tensors_and_what_is_no_tensor() -> None:
    with torch.inference_mode():
        made = torch.ones(2)
    batch = moved({"a": made, "name": "x"}, torch.device("cpu"))
    assert not batch["a"].is_inference()
    assert batch["name"] == "x"
