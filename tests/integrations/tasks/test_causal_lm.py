"""CausalLM: every choice of tokenisation, what is learned, refusals."""

import re

import pytest
import torch
from tokenizers import Tokenizer, models, processors
from transformers import PreTrainedTokenizerFast

from datainf.core.errors import AdapterError, DataError, OptionError
from datainf.integrations.tasks.causal_lm import Border, CausalLM, Truncation, Turns
from tests.tiny_models import (
    CHAT_TEMPLATE,
    tiny_bert_classifier,
    tiny_llama,
    tiny_tokenizer,
)

PROMPT = {"prompt": "ab ", "completion": "cd"}


def refused(message, kind=DataError):
    return pytest.raises(kind, match=f"^{re.escape(message)}$")


def learned(task, row):
    """Write the whole text, and the part of it that is learned."""
    encoded = task.encode(row)
    labels = [i for i in encoded.labels if i != -100]
    return task.tokenizer.decode(encoded.input_ids), task.tokenizer.decode(labels)


@pytest.mark.parametrize(
    ("options", "text", "labels"),
    [
        ({}, "<s>ab cd</s>", "cd</s>"),
        ({"append_eos": False}, "<s>ab cd", "cd"),
        ({"add_special_tokens": False}, "ab cd</s>", "cd</s>"),
        ({"mask_prompt": False}, "<s>ab cd</s>", "ab cd</s>"),
        ({"border": "joint"}, "<s>ab cd</s>", "cd</s>"),
        ({"max_length": 5}, "<s>ab c", "c"),
        ({"max_length": 4, "truncation": "left"}, " cd</s>", "cd</s>"),
    ],
)
def test_options_change_tokens_and_labels_as_they_say(options, text, labels):
    assert learned(CausalLM(tiny_tokenizer(), **options), PROMPT) == (text, labels)


def test_a_text_is_learned_whole_but_for_its_first_token():
    assert learned(CausalLM(tiny_tokenizer()), {"text": "abc"}) == (
        "<s>abc</s>",
        "abc</s>",
    )


def test_end_of_sequence_is_not_put_twice():
    tokenizer = tiny_tokenizer()
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 2), ("</s>", 3)]
    )
    task = CausalLM(tokenizer)
    assert learned(task, {"text": "a"}) == ("<s>a</s>", "a</s>")
    assert learned(task, PROMPT) == ("<s>ab cd</s>", "cd</s>")


def test_the_border_is_tokenised_as_asked():
    # One merge, "b" + "c", that crosses the border of "ab" and "cd".
    vocab = {"<unk>": 0, "</s>": 1, "a": 2, "b": 3, "c": 4, "d": 5, "bc": 6}
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.BPE(vocab, [("b", "c")], unk_token="<unk>")),
        eos_token="</s>",
        unk_token="<unk>",
    )
    row = {"prompt": "ab", "completion": "cd"}
    separate = CausalLM(tokenizer, border=Border.SEPARATE).encode(row)
    joint = CausalLM(tokenizer, border=Border.JOINT).encode(row)
    assert (separate.input_ids, separate.labels) == (
        [2, 3, 4, 5, 1],
        [-100, -100, 4, 5, 1],
    )
    assert (joint.input_ids, joint.labels) == ([2, 6, 5, 1], [-100, -100, 5, 1])


def test_special_tokens_that_cannot_be_told_are_refused():
    class Strange(PreTrainedTokenizerFast):
        def __call__(self, text, **options):
            found = super().__call__(text, **options)
            if options.get("add_special_tokens", True):
                found["input_ids"] = [2] * len(found["input_ids"])
            return found

    tokenizer = tiny_tokenizer()
    tokenizer.__class__ = Strange
    message = (
        "the tokenizer's special tokens cannot be told from a text's own; pass "
        "add_special_tokens=False, or give rows with input_ids and labels."
    )
    with refused(message, OptionError):
        CausalLM(tokenizer).encode({"text": "a"})


def conversation():
    return [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "yo"},
        {"role": "user", "content": "so?"},
        {"role": "assistant", "content": "ok"},
    ]


@pytest.mark.parametrize(
    ("options", "labels"),
    [
        ({}, "yo</s>\nok</s>\n"),
        ({"turns": Turns.LAST}, "ok</s>\n"),
        (
            {"mask_prompt": False},
            "<user>hi\n<assistant>yo</s>\n<user>so?\n<assistant>ok</s>\n",
        ),
    ],
)
def test_turns_of_the_assistant_are_learned(options, labels):
    task = CausalLM(tiny_tokenizer(chat_template=True), **options)
    text, found = learned(task, {"messages": conversation()})
    assert text == "<s><user>hi\n<assistant>yo</s>\n<user>so?\n<assistant>ok</s>\n"
    assert found.removeprefix("<s>") == labels


def test_conversational_completions_are_learned():
    task = CausalLM(tiny_tokenizer(chat_template=True))
    row = {"prompt": conversation()[:3], "completion": conversation()[3:]}
    assert learned(task, row)[1] == "ok</s>\n"
    assert task.describe(row) == ("user: hi\nassistant: yo\nuser: so? → assistant: ok")


def test_the_last_turn_of_a_conversational_completion_is_learned_on_request():
    task = CausalLM(tiny_tokenizer(chat_template=True), turns="last")
    row = {"prompt": conversation()[:1], "completion": conversation()[1:]}
    assert learned(task, row)[1] == "ok</s>\n"
    whole = CausalLM(tiny_tokenizer(chat_template=True))
    assert learned(whole, row)[1] == "yo</s>\n<user>so?\n<assistant>ok</s>\n"
    # Where the assistant says nothing, the completion is all there is to learn.
    row = {"prompt": conversation()[:2], "completion": conversation()[2:3]}
    plain = CHAT_TEMPLATE.partition("{% if add_generation_prompt %}")[0]
    task = CausalLM(tiny_tokenizer(chat_template=plain), turns="last")
    assert learned(task, row)[1] == "<user>so?\n"


@pytest.mark.parametrize("turns", list(Turns))
def test_a_summed_loss_is_the_mean_times_the_tokens_that_are_learned(turns):
    tokenizer = tiny_tokenizer(chat_template=True)
    row, model = {"messages": conversation()}, tiny_llama(dtype=torch.float64)
    mean, total = (
        CausalLM(tokenizer, turns=turns, reduction=how) for how in ("mean", "sum")
    )
    batch = mean.collate([row])
    count = int((batch["labels"] != -100).sum())
    assert count == (8 if turns is Turns.ALL else 4)
    torch.testing.assert_close(
        total.losses(model, batch), count * mean.losses(model, batch)
    )
    # The model takes its own loss in single precision.
    own = model(input_ids=batch["input_ids"], labels=batch["labels"]).loss
    torch.testing.assert_close(mean.losses(model, batch)[0].float(), own.float())


def test_templates_and_their_arguments_come_from_task_and_row():
    template = CHAT_TEMPLATE.replace(
        "{{ bos_token }}", "{{ a }}{{ b }}{{ tools or '' }}"
    )
    task = CausalLM(
        tiny_tokenizer(), chat_template=template, template_kwargs={"a": "1", "b": "2"}
    )
    row = {
        "messages": conversation()[:2],
        "tools": None,
        "chat_template_kwargs": {"b": "3"},
    }
    assert learned(task, row)[0].startswith("13<user>hi")
    with_tools = {**row, "tools": [{"name": "f"}]}
    assert "name" in learned(task, with_tools)[0]


def test_rows_of_tokens_stay_as_they_are():
    task = CausalLM(tiny_tokenizer())
    row = {"input_ids": [2, 4, 5, 6], "completion_mask": [0, 0, 1, 1]}
    encoded = task.encode(row)
    assert encoded.input_ids == [2, 4, 5, 6]
    assert encoded.labels == [-100, -100, 5, 6]
    assert task.describe(row) == "<s>a → bc"
    assert task.describe({"input_ids": [4, 5], "labels": [-100, -100]}) == "ab"


@pytest.mark.parametrize(
    ("options", "row", "after"),
    [
        ({"append_eos": False}, {"prompt": "abc", "completion": ""}, ""),
        ({"max_length": 3}, {"prompt": "abc", "completion": "d"}, "3"),
        ({}, {"input_ids": [4, 5], "labels": [4, -100]}, ""),
        ({}, {"input_ids": [4]}, ""),
    ],
    ids=["empty completion", "cut", "masked", "one token"],
)
def test_a_row_without_a_token_to_learn_is_refused(options, row, after):
    cut = f" after cutting it to max_length={after}" if after else ""
    message = (
        f"no token to learn from in the row {row}: all are masked{cut}; give it a "
        "completion, raise max_length, or take the row out."
    )
    with refused(message):
        CausalLM(tiny_tokenizer(), **options).encode(row)


def test_cut_rows_are_said_to_be_cut():
    task = CausalLM(tiny_tokenizer(), max_length=5)
    assert task.truncated({"text": "abcd"})
    assert not task.truncated({"text": "abc"})


def test_long_rows_are_refused_on_request():
    task = CausalLM(tiny_tokenizer(), max_length=4, truncation=Truncation.REFUSE)
    assert task.length({"text": "ab"}) == 4
    message = (
        "5 tokens are more than max_length=4 in the row {'text': 'abc'}; raise "
        "max_length, or let truncation cut the row."
    )
    with refused(message):
        task.encode({"text": "abc"})


@pytest.mark.parametrize(
    ("side", "mask"),
    [
        ("right", [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]]),
        ("left", [[0, 0, 1, 1, 1], [1, 1, 1, 1, 1]]),
    ],
)
def test_batches_are_padded_on_the_tokenizers_side_or_the_one_asked_for(side, mask):
    rows = [{"text": "a"}, {"text": "abc"}]
    other = {"left": "right", "right": "left"}[side]
    for task in (
        CausalLM(tiny_tokenizer(side)),
        CausalLM(tiny_tokenizer(other), padding_side=side),
    ):
        batch = task.collate(rows)
        assert batch["attention_mask"].tolist() == mask
        assert (batch["labels"] == -100).sum() == 2 + 2  # padding and first tokens
        assert ("position_ids" in batch) == (side == "left")


def test_positions_on_the_left_count_from_the_first_token():
    batch = CausalLM(tiny_tokenizer("left")).collate([{"text": "a"}, {"text": "abc"}])
    assert batch["position_ids"].tolist() == [[0, 0, 0, 1, 2], [0, 1, 2, 3, 4]]
    alone = CausalLM(tiny_tokenizer("left")).collate([{"text": "a"}])
    assert "position_ids" not in alone


@pytest.mark.parametrize("attn", ["eager", "sdpa"])
@pytest.mark.parametrize("side", ["left", "right"])
def test_losses_do_not_depend_on_padding_in_single_precision(attn, side):
    task, model = CausalLM(tiny_tokenizer(side)), tiny_llama(attn=attn)
    rows = [{"text": "a"}, {"text": "a longer line"}, PROMPT]
    with torch.no_grad():
        together = task.losses(model, task.collate(rows))
        alone = torch.cat([task.losses(model, task.collate([row])) for row in rows])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=0)


def test_the_models_own_loss_is_the_mean_over_the_batchs_tokens():
    task = CausalLM(tiny_tokenizer(), reduction="sum")
    model = tiny_llama(dtype=torch.float64)
    batch = task.collate([{"text": "a"}, {"text": "a longer line"}, PROMPT])
    with torch.no_grad():
        losses, own = task.losses(model, batch), model(**batch).loss
    tokens = (batch["labels"] != -100).sum()
    torch.testing.assert_close(losses.sum() / tokens, own.double(), rtol=1e-6, atol=0)


def test_a_model_that_is_no_language_model_is_refused():
    task = CausalLM(tiny_tokenizer())
    # The classifiers of transformers 4 refuse `use_cache`, those of 5 pass it over.
    message = (
        r"causal-lm needs (logits \[B, T, V\] for labels \[1, 3\], the model gives "
        r"\[1, 3\]; is it a causal language model\?|a causal language model, got a "
        r"BertForSequenceClassification\.)"
    )
    with pytest.raises(AdapterError, match=f"^{message}$"):
        task.losses(tiny_bert_classifier(), task.collate([{"text": "a"}]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"truncation": "rigth"},
            "truncation='rigth' is unknown: expected one of: right, left, refuse; did "
            "you mean 'right'?.",
        ),
        (
            {"padding_side": "top"},
            "padding_side must be left or right, got 'top'.",
        ),
        (
            {"border": "none", "columns": {}},
            "border='none' is unknown: expected one of: separate, joint.",
        ),
        ({"max_length": 0}, "max_length must be at least 2, got 0."),
    ],
)
def test_wrong_options_are_refused(options, message):
    with refused(message, OptionError):
        CausalLM(tiny_tokenizer(), **options)


def test_a_tokenizer_without_end_of_sequence_needs_a_word():
    message = (
        "append_eos=True, but the tokenizer has no eos_token; pass "
        "append_eos=False, or set tokenizer.eos_token as in training."
    )
    with refused(message, OptionError):
        CausalLM(tiny_tokenizer(eos=False))
    task = CausalLM(tiny_tokenizer(eos=False), append_eos=False)
    assert learned(task, {"text": "a"}) == ("<s>a", "a")


def test_columns_are_fixed_for_data():
    task = CausalLM(tiny_tokenizer(), columns={"prompt": "question"})
    fixed = task.for_columns(["question", "completion", "id"])
    assert fixed.columns == {"prompt": "question", "completion": "completion"}
    row = {"question": "1+1=", "completion": 2, "text": "x"}
    assert learned(fixed, row) == ("<s>1+1=2</s>", "2</s>")
    assert fixed.describe(row) == "1+1= → 2"
    with pytest.raises(
        DataError, match=r"^no example can be read from the columns a: "
    ):
        task.for_columns(["a"])


def test_a_text_where_messages_are_needed_is_refused():
    message = (
        "column 'completion' must hold a list of messages, each with role and content, "
        "got {'completion': 'yo'}."
    )
    row = {"prompt": conversation()[:1], "completion": "yo"}
    with refused(message):
        CausalLM(tiny_tokenizer(chat_template=True)).encode(row)


@pytest.mark.parametrize("prompt", [3.5, True, {"role": "user"}])
def test_a_prompt_that_is_neither_text_nor_messages_must_be_text(prompt):
    row = {"prompt": prompt, "completion": "x"}
    message = (
        f"column 'prompt' must hold text, got {type(prompt).__name__} in the row {row}."
    )
    task = CausalLM(tiny_tokenizer(chat_template=True))
    for read in (task.encode, task.describe):
        with refused(message):
            read(row)


def test_settings_show_every_choice():
    settings = CausalLM(tiny_tokenizer(), turns="last", reduction="sum").settings()
    assert settings.pop("tokenizer")["vocab_size"] == 61
    assert settings == {
        "name": "causal-lm",
        "columns": {},
        "max_length": 256,
        "truncation": "right",
        "append_eos": True,
        "add_special_tokens": True,
        "border": "separate",
        "mask_prompt": True,
        "turns": "last",
        "chat_template": None,
        "template_kwargs": {},
        "reduction": "sum",
        "padding_side": "right",
    }


def test_real_rows_are_read(shared_data):
    from datainf.core.run_config import DataConfig
    from datainf.integrations.examples import load_examples

    config = DataConfig(data=str(shared_data / "gsm8k" / "train.jsonl"), limit=3)
    rows = load_examples(config)
    columns = {"prompt": "question", "completion": "answer"}
    task = CausalLM(tiny_tokenizer(), columns=columns, max_length=2000)
    for row in rows:
        assert learned(task, row)[1].endswith(row["answer"][-1] + "</s>")
