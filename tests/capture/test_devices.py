"""Where batches go, and what becomes of inference tensors."""

import torch
from accelerate import dispatch_model
from torch import nn

from datainf.capture.devices import (
    batch_tokens_on,
    device_of,
    input_embeddings,
    moved,
)
from datainf.capture.session import CaptureSession
from datainf.core.batch import BATCH_TOKENS
from datainf.integrations.peft import adapter_of
from tests.cases import TokenTask, decoder, token_rows


class Embedded(nn.Module):
    """A model whose embeddings and head may lie on different devices."""

    def __init__(self, embeddings: str) -> None:
        super().__init__()
        self.head = nn.Linear(2, 3)
        self.words = nn.Embedding(5, 2, device=embeddings)

    def get_input_embeddings(self) -> nn.Module:
        return self.words


def test_batches_go_to_the_input_embeddings():
    assert device_of(Embedded("meta")) == torch.device("meta")
    assert device_of(nn.Linear(2, 3, device="meta")) == torch.device("meta")
    assert device_of(nn.Identity()) == torch.device("cpu")


def test_batches_are_small_on_a_cpu():
    assert batch_tokens_on(torch.device("cpu")) < batch_tokens_on(torch.device("cuda"))
    assert batch_tokens_on(torch.device("cuda")) == BATCH_TOKENS


def test_a_model_without_input_embeddings_has_none():
    model = Embedded("cpu")
    assert input_embeddings(model) is model.words
    assert input_embeddings(nn.Linear(2, 3)) is None
    model.get_input_embeddings = lambda: None  # type: ignore[assignment, return-value]
    assert input_embeddings(model) is None


def test_tensors_are_moved_and_all_else_is_kept():
    batch = moved({"x": torch.ones(2), "name": "a"}, torch.device("meta"))
    assert batch["x"].device == torch.device("meta")
    assert batch["name"] == "a"


def test_tensors_of_inference_mode_become_plain_ones():
    with torch.inference_mode():
        x = torch.ones(2)
        found = moved({"x": x}, torch.device("cpu"))["x"]
    assert x.is_inference()
    assert not found.is_inference()
    assert torch.equal(found, torch.ones(2))


def test_a_model_split_by_hooks_gives_the_same_gradients():
    """Accelerate moves what goes from part to part; here every part is on the CPU."""
    batch = TokenTask().collate(token_rows("decoder"))
    found = []
    for split in (False, True):
        model = decoder()
        if split:
            base = model.get_base_model()
            parts = ("embed_tokens", "layers.0", "layers.1", "norm", "rotary_emb")
            places = {"lm_head": "cpu", **{f"model.{part}": "cpu" for part in parts}}
            dispatch_model(base, places, main_device="cpu", force_hooks=True)
        with CaptureSession(model, adapter_of(model), TokenTask()) as session:
            found.append(session.gradients(batch))
    (rows, losses), (mine, others) = found
    # Not to the bit: layers with hooks run as they are, the others as one product.
    torch.testing.assert_close(losses, others, rtol=1e-6, atol=0)
    for name in rows:
        torch.testing.assert_close(rows[name], mine[name], rtol=1e-5, atol=1e-6)
