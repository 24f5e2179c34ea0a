"""The table of PEFT types: one row a type, on an encoder, a decoder and a seq2seq.

A row says how PEFT is asked for the type, and by which way its own tensors are to be
collected: by rule, by replay, looped. Bases are built in float32 (PiSSA's decomposition
wants it), every trained tensor is moved off its starting value, so that no gradient is
zero for that reason, and only then the number format is chosen.
"""

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import peft
import torch
from packaging.version import Version

from datainf.integrations.peft import adapter_of
from tests.capture.seq2seq import Seq2SeqTask
from tests.cases import TokenTask, token_rows
from tests.tiny_models import tiny_bert_classifier, tiny_llama, tiny_t5

KINDS = ("encoder", "decoder", "seq2seq")
TASK_TYPES = {"encoder": "SEQ_CLS", "decoder": "CAUSAL_LM", "seq2seq": "SEQ_2_SEQ_LM"}
# What each base calls its parts.
NAMES: dict[str, dict[str, str]] = {
    "encoder": {
        "first": "query",
        "second": "value",
        "out": "output.dense",
        "embedding": "word_embeddings",
        "norm": "LayerNorm",
    },
    "decoder": {
        "first": "q_proj",
        "second": "v_proj",
        "out": "down_proj",
        "embedding": "embed_tokens",
        "norm": "input_layernorm",
    },
    "seq2seq": {
        "first": "q",
        "second": "v",
        "out": "wo",
        "embedding": "embed_tokens",
        "norm": "layer_norm",
    },
}
OLD = Version(peft.__version__) < Version("0.15")


@dataclass(frozen=True)
class PeftCase:
    """One PEFT type.

    Attributes:
        config: Its configuration's class in `peft`.
        options: Of the configuration.
        targets: Which parts are adapted, by the names of `NAMES`; none where the type
            takes no targets.
        extra: Further options that hold names of parts: option -> parts.
        ways: Pattern of a block's name -> `rule`, `replay` or `looped`; the first that
            matches counts, and blocks that none matches go by rule.
        right_only: Whether the type cannot be padded on the left.
        shift: How far trained tensors are moved off their starting values.
        fails_on_old: Kind of base -> why the lowest PEFT fails on it by itself.
    """

    config: str
    options: Mapping[str, Any] = field(default_factory=dict)
    targets: tuple[str, ...] = ("first", "second")
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    ways: Mapping[str, str] = field(default_factory=dict)
    right_only: bool = False
    shift: float = 0.1
    fails_on_old: Mapping[str, str] = field(default_factory=dict)

    def way(self, block: str) -> str:
        """Tell how a block is to be collected."""
        found = (way for pattern, way in self.ways.items() if re.search(pattern, block))
        return next(found, "rule")

    def missing(self, kind: str) -> str | None:
        """Say why this PEFT cannot run the type on a kind of base, if it cannot."""
        if not hasattr(peft, self.config):
            return f"peft {peft.__version__} has no {self.config}"
        return self.fails_on_old.get(kind) if OLD else None


PLAIN = {"r": 2, "lora_alpha": 5}
LORA = "LoraConfig"
PROJECTED = {"num_virtual_tokens": 3, "encoder_hidden_size": 5}
ALL = {".": "replay"}

PEFT_CASES: dict[str, PeftCase] = {
    "LoRA": PeftCase(LORA, PLAIN),
    'LoRA, bias="lora_only"': PeftCase(LORA, {**PLAIN, "bias": "lora_only"}),
    'LoRA, bias="all"': PeftCase(
        LORA,
        {**PLAIN, "bias": "all"},
        # T5 before transformers 5: looked up once for all examples.
        ways={"relative_attention_bias": "looped"},
    ),
    "LoRA, embeddings": PeftCase(
        LORA,
        PLAIN,
        targets=("first", "embedding"),
        ways={"lora_embedding": "replay"},
    ),
    "LoRA, modules_to_save": PeftCase(
        LORA,
        PLAIN,
        extra={"modules_to_save": ("norm", "embedding")},
        # BERT's norm has a rule; the others' own kinds of norm are replayed.
        ways={r"LayerNorm": "rule", r"norm\.": "replay"},
    ),
    "LoRA, some layers": PeftCase(LORA, {**PLAIN, "layers_to_transform": [1]}),
    "rsLoRA": PeftCase(LORA, {**PLAIN, "use_rslora": True}),
    "PiSSA": PeftCase(LORA, {**PLAIN, "init_lora_weights": "pissa"}),
    "DoRA": PeftCase(
        LORA, {**PLAIN, "use_dora": True}, ways={"magnitude_vector": "replay"}
    ),
    "DoRA, embeddings": PeftCase(
        LORA,
        {**PLAIN, "use_dora": True},
        targets=("first", "embedding"),
        # Its magnitudes' module returns a pair, which no tap passes on.
        ways={
            r"embed.*magnitude_vector": "looped",
            "magnitude_vector|lora_embedding": "replay",
        },
    ),
    "AdaLoRA": PeftCase(
        "AdaLoraConfig",
        {"init_r": 3, "target_r": 2, "total_step": 99, "tinit": 9, "tfinal": 50},
        ways={"lora_": "replay"},
    ),
    "LoHa": PeftCase("LoHaConfig", {"r": 2}, ways={"hada_": "replay"}),
    "LoKr": PeftCase("LoKrConfig", {"r": 2}, ways={"lokr_": "replay"}),
    "IA3": PeftCase(
        "IA3Config",
        targets=("first", "second", "out"),
        extra={"feedforward_modules": ("out",)},
        ways={"ia3_": "replay"},
    ),
    "VeRA": PeftCase("VeraConfig", {"r": 2}, ways={"vera_": "replay"}),
    "OFT": PeftCase(
        "OFTConfig",
        {"r": 2} if OLD else {"r": 0, "oft_block_size": 4},
        ways={"oft_": "replay"},
    ),
    "BOFT": PeftCase(
        "BOFTConfig",
        {"boft_block_size": 4},
        ways={"boft_": "replay"},
        fails_on_old={"encoder": "peft 0.14.0 fails on BOFT of a layer with a bias"},
    ),
    "RandLoRA": PeftCase(
        "RandLoraConfig",
        {"r": 2},
        ways={"randlora_": "replay"},
        # Its random bases magnify: further off, float32 itself is lost in T5.
        shift=0.01,
    ),
    "VB-LoRA": PeftCase(
        "VBLoRAConfig",
        {"r": 2, "num_vectors": 9, "vector_length": 4},
        # One bank for all layers, handed to each as an argument's part.
        ways={"vector_bank": "looped", "vblora_": "replay"},
    ),
    "FourierFT": PeftCase(
        "FourierFTConfig", {"n_frequency": 7}, ways={"fourierft_": "replay"}
    ),
    "LayerNorm tuning": PeftCase(
        "LNTuningConfig",
        targets=("norm",),
        ways={"LayerNorm": "rule", r"norm\.": "replay"},
    ),
    "Prompt tuning": PeftCase(
        "PromptTuningConfig",
        {"num_virtual_tokens": 3},
        targets=(),
        right_only=True,
    ),
    "P-tuning": PeftCase(
        "PromptEncoderConfig",
        PROJECTED,
        targets=(),
        right_only=True,
    ),
    "Prefix tuning": PeftCase(
        "PrefixTuningConfig",
        {"num_virtual_tokens": 3},
        targets=(),
        right_only=True,
    ),
    "Prefix tuning, projected": PeftCase(
        "PrefixTuningConfig",
        {**PROJECTED, "prefix_projection": True},
        targets=(),
        right_only=True,
    ),
}


def peft_config(case: PeftCase, kind: str) -> peft.PeftConfig:
    """Ask PEFT for a type on a kind of base."""
    names, options = NAMES[kind], dict(case.options)
    if case.targets:
        options["target_modules"] = [names[part] for part in case.targets]
    for option, parts in case.extra.items():
        options[option] = [names[part] for part in parts]
    made: peft.PeftConfig = getattr(peft, case.config)(
        task_type=TASK_TYPES[kind], **options
    )
    return made


def base_of(kind: str, attn: str = "eager") -> Any:
    """Build the tiny base of a kind, in float32."""
    if kind == "seq2seq":
        return tiny_t5()
    if kind == "encoder":
        return tiny_bert_classifier(3, attn=attn)
    return tiny_llama(attn=attn)


def perturb(model: peft.PeftModel, shift: float, name: str = "default") -> None:
    """Move every trained tensor off its starting value."""
    generator = torch.Generator().manual_seed(5)
    for trained in adapter_of(model, name).parameters:
        shape = trained.parameter.shape
        trained.parameter.data += shift * torch.randn(shape, generator=generator)


def fresh_model(case: PeftCase, kind: str, attn: str = "eager") -> peft.PeftModel:
    """Build a base with a new adapter of the type on it, in float32."""
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        torch.manual_seed(0)
        # PEFT warns of tied weights, unknown kinds of norm and a missing CUDA.
        warnings.simplefilter("ignore", UserWarning)
        return peft.get_peft_model(base_of(kind, attn), peft_config(case, kind))


def peft_model(
    case: PeftCase,
    kind: str,
    *,
    dtype: torch.dtype = torch.float64,
    attn: str = "eager",
) -> peft.PeftModel:
    """Build a base with an adapter of the type that has trained, in eval mode."""
    model = fresh_model(case, kind, attn)
    perturb(model, case.shift)
    return model.to(dtype).eval()


def task_and_rows(
    case: PeftCase, kind: str, side: str = "right"
) -> tuple[TokenTask, list[dict[str, Any]]]:
    """Make the task and the examples for a kind of base."""
    if kind == "seq2seq":
        return Seq2SeqTask(side), token_rows("decoder")
    # PEFT ignores positions for prompt learning, with a warning.
    return TokenTask(side, positions=not case.right_only), token_rows(kind)
