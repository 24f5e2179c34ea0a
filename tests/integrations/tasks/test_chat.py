"""Conversations: which tokens the assistant wrote."""

import json
import re

import pytest
from tokenizers import decoders

from datainf.core.errors import DataError, OptionError
from datainf.integrations.tasks.chat import Chat, checked_messages, read_tools
from datainf.integrations.tasks.tokens import brief
from tests.tiny_models import CHAT_TEMPLATE, tiny_tokenizer

MARKED = (
    "{% for m in messages %}<{{ m.role }}>"
    "{% if m.role == 'assistant' %}{%- generation %}{{ m.content }}!"
    "{% endgeneration %}{% else %}{{ m.content }}{% endif %}{{ '\n' }}{% endfor %}"
)
# Takes what stands before "/" out of all but the last message.
REWRITES = (
    "{% for m in messages %}<{{ m.role }}>"
    "{{ m.content if loop.last else m.content.split('/')[-1] }}{{ '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
STRICT = "{{ raise_exception('no system message') }}"


def refused(message, kind=DataError):
    return pytest.raises(kind, match=f"^{re.escape(message)}$")


def talk(*texts):
    roles = ("user", "assistant")
    return [{"role": roles[i % 2], "content": text} for i, text in enumerate(texts)]


def chat(template=None, **options):
    return Chat(tiny_tokenizer(chat_template=True), template, options)


def split(result):
    """Write the text, and what is marked in it, runs separated by |."""
    ids, mask = result
    tokenizer = tiny_tokenizer()
    tokenizer.backend_tokenizer.decoder = decoders.Fuse()
    marked = "".join(
        tokenizer.decode([i]) if kept else "|"
        for i, kept in zip(ids, mask, strict=True)
    )
    return tokenizer.decode(ids), re.sub(r"\|+", "|", marked)


@pytest.mark.parametrize(
    ("last", "marked"), [(False, "|yo</s>\n|ok</s>\n"), (True, "|ok</s>\n")]
)
def test_the_assistants_words_and_their_end_are_marked(last, marked):
    messages = talk("hi", "yo", "so?", "ok")
    text, found = split(chat().assistant_turns(messages, last=last))
    assert text == ("<s><user>hi\n<assistant>yo</s>\n<user>so?\n<assistant>ok</s>\n")
    assert found == marked


@pytest.mark.parametrize(("last", "marked"), [(False, "|yo!|ok!|"), (True, "|ok!|")])
def test_marks_of_the_template_are_taken(last, marked):
    messages = talk("hi", "yo", "so?", "ok")
    text, found = split(chat(MARKED).assistant_turns(messages, last=last))
    assert text == "<user>hi\n<assistant>yo!\n<user>so?\n<assistant>ok!\n"
    assert found == marked


# As Qwen writes: a default system message before, an empty thought in the last turn.
PREFACED = (
    "{% if messages[0].role != 'system' %}<system>be good\n{% endif %}"
    "{% for m in messages %}<{{ m.role }}>"
    "{% if m.role == 'assistant' and loop.last %}(){% endif %}{{ m.content }}{{ '\n' }}"
    "{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
)
# Asks for the assistant's words with a mark that no turn has.
ASKING = (
    "{{ bos_token }}{% for m in messages %}{{ m.role }}: {{ m.content }}{{ '\n' }}"
    "{% endfor %}{% if add_generation_prompt %}?{% endif %}"
)


@pytest.mark.parametrize(
    ("template", "text", "marked"),
    [
        (None, "<s><assistant>yo</s>\n", "|yo</s>\n"),
        (PREFACED, "<system>be good\n<assistant>()yo\n", "|()yo\n"),
        (ASKING, "<s>assistant: yo\n", "|yo\n"),
    ],
)
def test_the_assistant_may_speak_first(template, text, marked):
    messages = talk("", "yo")[1:]
    found = chat(template).assistant_turns(messages, last=False)
    assert split(found) == (text, marked)


def test_a_first_turn_before_others_and_in_parts_is_marked():
    messages = talk("", "yo", "so?", "ok")[1:]
    found = chat().assistant_turns(messages, last=False)
    assert split(found)[1] == "|yo</s>\n|ok</s>\n"
    template = CHAT_TEMPLATE.replace("m.content", "m.content[0].text")
    parts = [{**m, "content": [{"text": m["content"]}]} for m in messages]
    assert chat(template).assistant_turns(parts, last=False) == found


# Marks with nothing between those of two turns.
TOUCHING = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'assistant' %}"
    "{% generation %}{{ m.content }}!{% endgeneration %}"
    "{% else %}{{ m.content }}{% endif %}{% endfor %}"
)


@pytest.mark.parametrize("first", [[], talk("hi")])
def test_only_the_last_of_two_turns_whose_marks_touch_is_taken(first):
    messages = [*first, *(talk("", text)[1] for text in ("yo", "ok"))]
    found = chat(TOUCHING).assistant_turns(messages, last=True)
    assert split(found)[1] == "|ok!"
    both = chat(TOUCHING).assistant_turns(messages, last=False)
    assert split(both)[1].removeprefix("|") == "yo!ok!"


def test_two_turns_that_cannot_be_told_apart_are_refused():
    template = TOUCHING.replace("}!{", "}{% if loop.last %}!{% endif %}{")
    template = template.replace("{% for", "{{ messages | length }}{% for", 1)
    messages = [talk("", text)[1] for text in ("yo", "ok")]
    with refused(
        "the last two turns of the assistant cannot be told apart in "
        f"{brief({'messages': messages})}: the chat template writes message 0 "
        "differently inside of the whole conversation; join the two, or use "
        "turns='all'."
    ):
        chat(template).assistant_turns(messages, last=True)


def test_a_users_last_word_is_not_marked():
    found = chat().assistant_turns(talk("hi", "yo", "bye"), last=False)
    assert split(found)[1] == "|yo</s>\n|"


def test_the_tokenizers_own_marks_are_found():
    own = Chat(tiny_tokenizer(chat_template=MARKED), None, {})
    assert split(own.assistant_turns(talk("hi", "yo"), last=False))[1] == "|yo!|"


def test_a_template_that_rewrites_turns_is_refused_unless_only_the_last_counts():
    messages = talk("hi", "t/yo", "so?", "t/ok")
    message = (
        "the chat template writes message 1 differently inside of the whole "
        f"conversation {brief({'messages': messages})}; use turns='last', or "
        "a template with {% generation %} marks."
    )
    with refused(message):
        chat(REWRITES).assistant_turns(messages, last=False)
    assert split(chat(REWRITES).assistant_turns(messages, last=True))[1] == "|t/ok\n"


def test_a_completion_is_what_follows_its_prompt():
    found = chat().completion(talk("hi"), talk("hi", "yo")[1:])
    assert split(found) == ("<s><user>hi\n<assistant>yo</s>\n", "|yo</s>\n")


def test_a_prompt_that_is_rewritten_is_refused():
    prompt = [{"role": "user", "content": "t/hi"}]
    message = (
        "the chat template writes the prompt differently once the completion follows: "
        "{'prompt': [{'role': 'user', 'content': 't/hi'}]}; tokenise the rows yourself "
        "and give input_ids with completion_mask."
    )
    with refused(message):
        chat(REWRITES).completion(prompt, talk("", "yo")[1:])


def test_a_conversation_without_the_assistant_is_refused():
    message = (
        "no message of the assistant in {'messages': [{'role': 'user', 'content': "
        "'hi'}]}; there is nothing to learn from it."
    )
    with refused(message):
        chat().assistant_turns(talk("hi"), last=False)


@pytest.mark.parametrize(
    "template", [STRICT, STRICT + "{% generation %}{% endgeneration %}"]
)
def test_what_the_template_refuses_is_an_error_of_the_data(template):
    with pytest.raises(
        DataError, match=r"^the chat template refuses .*: no system mess"
    ):
        chat(template).assistant_turns(talk("hi", "yo"), last=False)


def test_options_reach_the_template():
    template = CHAT_TEMPLATE.replace("{{ bos_token }}", "{{ greeting }}")
    rendered = chat(template, greeting="#").render(talk("hi"))
    assert rendered == "#<user>hi\n"


def test_a_template_is_needed():
    message = (
        "the tokenizer has no chat template; give the one the adapter was trained with "
        "as chat_template= (--task-option chat_template=...)."
    )
    with refused(message, OptionError):
        Chat(tiny_tokenizer(), None, {})


def test_a_fast_tokenizer_is_needed(monkeypatch):
    tokenizer = tiny_tokenizer(chat_template=True)
    monkeypatch.setattr(type(tokenizer), "is_fast", False)
    message = (
        "messages need a fast tokenizer, which knows the characters of its tokens; "
        "tokenise the rows yourself and give input_ids with labels."
    )
    with refused(message, OptionError):
        Chat(tokenizer, None, {})


def test_empty_fields_of_messages_are_left_out():
    value = [{"role": "user", "content": "hi", "tool_calls": None}]
    assert checked_messages(value, "messages") == talk("hi")


def test_messages_of_sharegpt_are_read_as_role_and_content():
    value = [
        {"from": "system", "value": "be brief"},
        {"from": "human", "value": "hi"},
        {"from": "gpt", "value": "ho", "weight": None},  # as Arrow's tables fill in
    ]
    assert checked_messages(value, "conversations") == [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "ho"},
    ]


@pytest.mark.parametrize(
    "value",
    [[], "hi", [{"from": "human", "text": "hi"}], [1], [{"from": [1], "value": "hi"}]],
)
def test_what_is_no_conversation_is_refused(value):
    message = (
        "column 'messages' must hold a list of messages, each with role and content, "
        f"got { {'messages': value} }."
    )
    with refused(message):
        checked_messages(value, "messages")


def test_tools_are_a_list_or_its_json():
    tools = [{"name": "f", "parameters": {"type": "object"}}]
    assert read_tools(tools) is tools
    assert read_tools(json.dumps(tools)) == tools
    message = (
        "column 'tools' holds no valid JSON (Expecting value: line 1 column 1 (char "
        "0)) in {'tools': 'f(x)'}; give a list of tools, or the JSON text of one."
    )
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        read_tools("f(x)")


def test_what_the_tokenizer_refuses_is_told_by_its_messages(monkeypatch):
    def refuse(*_, **__):
        raise ValueError("no message")

    made = chat()
    monkeypatch.setattr(type(made.tokenizer), "apply_chat_template", refuse)
    with refused("the chat template refuses {'messages': []}: no message"):
        made.render([])
