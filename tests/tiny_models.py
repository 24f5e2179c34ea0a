"""Tiny models, adapters and a tokenizer made in code, for tests without any download.

Two layers of width 16 and a tokenizer of single characters: lower-case letters, digits
and the punctuation of `_CHARACTERS`; all else is `<unk>`. Models come in eval mode,
with dropout at the library's default, so that `model.train()` makes them random.
"""

from collections.abc import Sequence
from typing import Any

import torch
import transformers
from peft import LoraConfig, PeftModel, TaskType, get_peft_model
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import (
    AutoModelForCausalLM,
    AutoModelForImageClassification,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    BartConfig,
    BertConfig,
    LlamaConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    T5Config,
    ViTConfig,
)

SPECIAL = ("<pad>", "<unk>", "<s>", "</s>")
_CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789 \n.,:;!?'-<>|/_()=+*#"
VOCAB = len(SPECIAL) + len(_CHARACTERS)
POSITIONS = 256

_QUERY_VALUE = {
    "bart": ("q_proj", "v_proj"),
    "bert": ("query", "value"),
    "llama": ("q_proj", "v_proj"),
    "t5": ("q", "v"),
    "vit": ("query", "value", "q_proj", "v_proj"),  # by version
}
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}<{{ m.role }}>{{ m.content }}"
    "{% if m.role == 'assistant' %}{{ eos_token }}{% endif %}{{ '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


def tiny_tokenizer(
    padding_side: str = "right",
    *,
    eos: bool = True,
    pad: bool = True,
    bos: bool = True,
    type_ids: bool = False,
    chat_template: bool | str = False,
) -> PreTrainedTokenizerFast:
    """Make a tokenizer whose tokens are single characters.

    Args:
        padding_side: `left` or `right`.
        eos: Whether there is an end-of-sequence token, `</s>` (never added by itself).
        pad: Whether there is a padding token.
        bos: Whether `<s>` is put before a text, and `</s>` between two.
        type_ids: Whether the tokenizer returns `token_type_ids`, as BERT's does.
        chat_template: A template, or True for `CHAT_TEMPLATE`.

    Returns:
        The tokenizer.
    """
    vocab = {token: i for i, token in enumerate([*SPECIAL, *_CHARACTERS])}
    inner = Tokenizer(models.WordLevel(vocab, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    inner.decoder = decoders.Fuse()
    if bos:
        inner.post_processor = processors.TemplateProcessing(
            single="<s> $A",
            pair="<s> $A </s> $B:1",
            special_tokens=[("<s>", vocab["<s>"]), ("</s>", vocab["</s>"])],
        )
    names = ["input_ids", "attention_mask"]
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner,
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>" if eos else None,
        pad_token="<pad>" if pad else None,
        padding_side=padding_side,
        model_max_length=POSITIONS,
        model_input_names=[*names, "token_type_ids"] if type_ids else names,
        clean_up_tokenization_spaces=False,
    )
    if chat_template:
        tokenizer.chat_template = (
            CHAT_TEMPLATE if chat_template is True else chat_template
        )
    return tokenizer


def tiny_bert_classifier(
    num_labels: int = 3,
    *,
    dtype: torch.dtype = torch.float32,
    attn: str = "sdpa",
    seed: int = 0,
) -> PreTrainedModel:
    """Make a two-layer BERT with a classification head, from a seed.

    Args:
        num_labels: Classes.
        dtype: Of all weights.
        attn: `eager` or `sdpa`.
        seed: Of the weights; the global generator is left as it was.

    Returns:
        The model, in eval mode.
    """
    config = BertConfig(
        vocab_size=VOCAB,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=23,
        max_position_embeddings=POSITIONS,
        num_labels=num_labels,
        pad_token_id=0,
    )
    return _seeded(AutoModelForSequenceClassification, config, dtype, attn, seed)


def tiny_bert_tagger(
    num_labels: int = 3,
    *,
    dtype: torch.dtype = torch.float32,
    attn: str = "sdpa",
    seed: int = 0,
) -> PreTrainedModel:
    """Make a two-layer BERT with a token classification head, from a seed.

    Args:
        num_labels: Classes.
        dtype: Of all weights.
        attn: `eager` or `sdpa`.
        seed: Of the weights; the global generator is left as it was.

    Returns:
        The model, in eval mode.
    """
    config = tiny_bert_classifier(num_labels).config
    config.problem_type = None
    return _seeded(AutoModelForTokenClassification, config, dtype, attn, seed)


def _seeded(
    kind: Any, config: Any, dtype: torch.dtype, attn: str, seed: int
) -> PreTrainedModel:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = kind.from_config(config, attn_implementation=attn)
    return model.to(dtype).eval()


def tiny_llama(
    *, dtype: torch.dtype = torch.float32, attn: str = "sdpa", seed: int = 0
) -> PreTrainedModel:
    """Make a two-layer Llama causal language model, from a seed.

    Args:
        dtype: Of all weights.
        attn: `eager` or `sdpa`.
        seed: Of the weights; the global generator is left as it was.

    Returns:
        The model, in eval mode.
    """
    config = LlamaConfig(
        vocab_size=VOCAB,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        intermediate_size=23,
        max_position_embeddings=POSITIONS,
        pad_token_id=0,
        bos_token_id=2,
        eos_token_id=3,
    )
    return _seeded(AutoModelForCausalLM, config, dtype, attn, seed)


def with_lora(
    model: PreTrainedModel,
    task_type: TaskType | str | None,
    *,
    r: int = 2,
    targets: Sequence[str] | None = None,
    modules_to_save: Sequence[str] | None = None,
    bias: str = "none",
    seed: int = 0,
) -> PeftModel:
    """Put a LoRA adapter on a model, with a `lora_B` that is not zero.

    Args:
        model: The base; its weights' dtype is given to the adapter's too.
        task_type: Such as `SEQ_CLS` (PEFT then trains and saves the head).
        r: Rank.
        targets: Module names; those of query and value in the architecture.
        modules_to_save: Further modules to train whole.
        bias: PEFT's `bias`: `none`, `all` or `lora_only`.
        seed: Of the adapter's weights; the global generator is left as it was.

    Returns:
        The PEFT model, in eval mode.
    """
    if targets is None:
        targets = _QUERY_VALUE[model.config.model_type]
    config = LoraConfig(
        task_type=task_type,
        r=r,
        lora_alpha=2 * r,
        lora_dropout=0.05,
        target_modules=list(targets),
        modules_to_save=None if modules_to_save is None else list(modules_to_save),
        bias=bias,
    )
    dtype = next(model.parameters()).dtype
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        adapted = get_peft_model(model, config).to(dtype)
        for name, parameter in adapted.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.2)
    return adapted.eval()


def tiny_t5(
    *, dtype: torch.dtype = torch.float32, attn: str = "eager", seed: int = 0
) -> PreTrainedModel:
    """Make a T5 of two layers on either side, from a seed.

    Args:
        dtype: Of all weights.
        attn: `eager`, or `sdpa` where transformers has it for T5.
        seed: Of the weights; the global generator is left as it was.

    Returns:
        The model, in eval mode.
    """
    config = T5Config(
        vocab_size=VOCAB,
        d_model=16,
        d_kv=8,
        d_ff=23,
        num_layers=2,
        num_heads=2,
        pad_token_id=0,
        eos_token_id=3,
        decoder_start_token_id=0,
    )
    return _seeded(AutoModelForSeq2SeqLM, config, dtype, attn, seed)


def tiny_bart(
    *, dtype: torch.dtype = torch.float32, attn: str = "sdpa", seed: int = 0
) -> PreTrainedModel:
    """Make a BART of two layers on either side, from a seed.

    Args:
        dtype: Of all weights.
        attn: `eager` or `sdpa`.
        seed: Of the weights; the global generator is left as it was.

    Returns:
        The model, in eval mode.
    """
    config = BartConfig(
        vocab_size=VOCAB,
        d_model=16,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=23,
        decoder_ffn_dim=23,
        max_position_embeddings=POSITIONS,
        pad_token_id=0,
        bos_token_id=2,
        eos_token_id=3,
        decoder_start_token_id=3,
        forced_eos_token_id=None,
    )
    return _seeded(AutoModelForSeq2SeqLM, config, dtype, attn, seed)


def tiny_vit(
    num_labels: int = 10,
    *,
    side: int = 8,
    patch: int = 2,
    dtype: torch.dtype = torch.float32,
    attn: str = "sdpa",
    seed: int = 0,
) -> PreTrainedModel:
    """Make a two-layer ViT for small images in RGB, from a seed.

    Args:
        num_labels: Classes.
        side: Pixels along an image's side.
        patch: Pixels along a patch's side.
        dtype: Of all weights.
        attn: `eager` or `sdpa`.
        seed: Of the weights; the global generator is left as it was.

    Returns:
        The model, in eval mode.
    """
    config = ViTConfig(
        image_size=side,
        patch_size=patch,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=23,
        num_labels=num_labels,
    )
    model = _seeded(AutoModelForImageClassification, config, dtype, attn, seed)
    # With transformers 4 the two kinds of attention draw their weights differently.
    weights = _seeded(AutoModelForImageClassification, config, dtype, "eager", seed)
    model.load_state_dict(weights.state_dict())
    return model


def tiny_image_processor(side: int = 8, *, resize: bool = True) -> Any:
    """Make ViT's image processor for small images.

    Args:
        side: Pixels along an image's side.
        resize: Whether images of other sizes are brought to it.

    Returns:
        The processor.
    """
    # Without torchvision transformers 5 has this one alone, transformers 4 the other.
    kind = getattr(transformers, "ViTImageProcessorPil", None)
    kind = kind or transformers.ViTImageProcessor
    return kind(size={"height": side, "width": side}, do_resize=resize)
