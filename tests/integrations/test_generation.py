"""Greedy answers in batches equal greedy answers one by one; prompts as trained."""

from dataclasses import replace

import torch

from datainf.integrations.generation import answer, answers, prompt_ids
from datainf.integrations.tasks.causal_lm import CausalLM
from datainf.integrations.tasks.seq2seq import Seq2Seq
from tests.tiny_models import tiny_llama, tiny_t5, tiny_tokenizer

PROMPTS = ["a b", "the cat sat", "x", "one two three"]


def test_an_answer_does_not_depend_on_the_batch() -> None:
    model, task = tiny_llama(dtype=torch.float64), CausalLM(tiny_tokenizer())
    together = answers(model, task, PROMPTS, max_new_tokens=5)
    alone = [answers(model, task, [p], max_new_tokens=5)[0] for p in PROMPTS]
    assert together == alone
    assert answers(model, task, PROMPTS, max_new_tokens=5, batch_size=3) == alone


def test_a_prompt_is_read_as_in_training() -> None:
    model, task = tiny_llama(dtype=torch.float64), CausalLM(tiny_tokenizer())
    (found,) = answers(model, task, ["the cat"], max_new_tokens=4)
    ids = torch.tensor([task.tokenizer("the cat")["input_ids"]])  # <s> and the prompt
    for _ in range(4):
        following = model(input_ids=ids).logits[0, -1].argmax()
        ids = torch.cat([ids, following.view(1, 1)], dim=1)
    assert ids[0, 0] == task.tokenizer.bos_token_id
    expected = task.tokenizer.decode(ids[0, -4:], skip_special_tokens=True)
    assert found == expected


def test_the_models_mode_is_left_as_it_was() -> None:
    model = tiny_llama().train()
    answers(model, CausalLM(tiny_tokenizer()), ["a"], max_new_tokens=1)
    assert model.training


ROW = {"prompt": "the cat", "completion": "sat"}


def test_an_answer_to_a_row_is_that_to_its_prompt() -> None:
    model, task = tiny_llama(dtype=torch.float64), CausalLM(tiny_tokenizer())
    (expected,) = answers(model, task, ["the cat"], max_new_tokens=5)
    assert answer(model, task, ROW, max_new_tokens=5) == expected
    learned = replace(task, mask_prompt=False)  # of the prompt too
    assert answer(model, learned, ROW, max_new_tokens=5) == expected


def test_an_answer_ends_where_the_model_says_that_texts_end() -> None:
    model, task = tiny_llama(dtype=torch.float64), CausalLM(tiny_tokenizer())
    whole = answer(model, task, ROW, max_new_tokens=5)
    vocabulary = task.tokenizer.get_vocab()
    model.generation_config.eos_token_id = [vocabulary["+"], vocabulary[whole[2]]]
    ended = answer(model, task, ROW, max_new_tokens=5)
    assert ended == whole[: whole.index(whole[2]) + 1]


def test_a_conversation_is_answered_after_the_templates_own_prompt() -> None:
    tokenizer = tiny_tokenizer(chat_template=True)
    task = CausalLM(tokenizer, append_eos=False)
    asked = [{"role": "user", "content": "the cat"}]
    row = {"messages": [*asked, {"role": "assistant", "content": "sat"}]}
    rendered = tokenizer.apply_chat_template(
        asked, tokenize=False, add_generation_prompt=True
    )
    ids = tokenizer(rendered, add_special_tokens=False)["input_ids"]
    assert prompt_ids(task, row) == ids
    assert len(answer(tiny_llama(), task, row, max_new_tokens=3)) <= 3


def test_a_translation_is_decoded_token_by_token() -> None:
    model = tiny_t5(dtype=torch.float64)
    task = Seq2Seq(tiny_tokenizer(), prefix="say: ")
    source, _ = task.encode(ROW)
    written = [0]  # the decoder's first token
    for _ in range(4):
        logits = model(
            input_ids=torch.tensor([source]),
            decoder_input_ids=torch.tensor([written]),
        ).logits
        written.append(int(logits[0, -1].argmax()))
    expected = task.tokenizer.decode(written, skip_special_tokens=True)
    assert answer(model, task, ROW, max_new_tokens=4) == expected
