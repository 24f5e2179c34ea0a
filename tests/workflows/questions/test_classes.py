"""A text or an image and its label; left empty, the label is the adapter's own."""

import torch
from PIL import Image

from datainf.core.questions import Entry, Said
from datainf.integrations.tasks.image_classification import ImageClassification
from datainf.integrations.tasks.sequence_classification import SequenceClassification
from datainf.workflows.questions.classes import ClassQuestion
from tests.tiny_models import (
    tiny_bert_classifier,
    tiny_image_processor,
    tiny_tokenizer,
    tiny_vit,
)

NAMES = ("bad", "fine", "good")
MULTI, NUMBER = "multi_label_classification", "regression"


def text_question(rows, classes=3, **options):
    task = SequenceClassification(tiny_tokenizer(), **options)
    return ClassQuestion(tiny_bert_classifier(classes), task, rows)


def logits_of(question, **texts):
    encoded = question.task.tokenizer(*texts.values(), return_tensors="pt")
    with torch.no_grad():
        return question.model(**encoded).logits[0].double()


def test_a_class_is_chosen_by_its_name(tmp_path):
    question = text_question([{"text": "a", "label": "good"}], labels=NAMES)
    text, label = question.fields
    assert (text.name, text.needed) == ("text", True)
    assert (label.entry, label.choices, label.needed) == (Entry.CHOICE, NAMES, False)
    posed = question.posed({"text": "well", "label": "good"}, tmp_path)
    assert (posed.example, posed.said) == ({"text": "well", "label": 2}, None)
    assert question.task.describe(posed.example) == "well → good"


def test_classes_without_names_are_numbers(tmp_path):
    question = text_question([{"text": "a", "label": 1}])
    assert question.fields[1].choices == ("0", "1", "2")
    posed = question.posed({"text": "well", "label": "1"}, tmp_path)
    assert posed.example == {"text": "well", "label": 1}


def test_the_adapters_own_class_is_its_likeliest(tmp_path):
    question = text_question([{"text": "a", "label": "good"}], labels=NAMES)
    chances = logits_of(question, text="well").softmax(dim=0)
    best = int(chances.argmax())
    posed = question.posed({"text": "well"}, tmp_path)
    assert posed.example == {"text": "well", "label": best}
    said = f"{NAMES[best]} ({float(chances[best]):.0%})"
    assert posed.said == Said("The adapter says", said)


def test_two_texts_are_two_fields(tmp_path):
    question = text_question([{"premise": "a", "hypothesis": "b", "label": 0}])
    assert [one.name for one in question.fields] == ["premise", "hypothesis", "label"]
    row = {"premise": "ab", "hypothesis": "c"}
    best = int(logits_of(question, **row).argmax())
    assert question.posed(row, tmp_path).example == {**row, "label": best}


def test_several_classes_are_marked(tmp_path):
    rows = [{"text": "a", "label": [0]}]
    question = text_question(rows, problem=MULTI, num_labels=3)
    assert question.fields[1].entry is Entry.CHOICES
    posed = question.posed({"text": "well", "label": ["2", "0"]}, tmp_path)
    assert question.task.label_of(posed.example) == (1, 0, 1)
    chances = logits_of(question, text="well").sigmoid()
    own = question.posed({"text": "well"}, tmp_path)
    assert question.task.label_of(own.example) == tuple(
        int(chance > 0.5) for chance in chances
    )
    with torch.no_grad():
        question.model.classifier.bias -= 99
    none = question.posed({"text": "well"}, tmp_path)
    assert none.said == Said("The adapter says", "none")
    assert question.task.label_of(none.example) == (0, 0, 0)


def test_a_number_is_needed_and_stands_beside_the_adapters_own(tmp_path):
    question = text_question([{"text": "a", "label": 0.5}], classes=1, problem=NUMBER)
    label = question.fields[1]
    assert (label.entry, label.needed) == (Entry.NUMBER, True)
    posed = question.posed({"text": "well", "label": 2}, tmp_path)
    assert posed.example == {"text": "well", "label": 2.0}
    value = float(logits_of(question, text="well")[0])
    assert posed.said == Said("The adapter says", f"{value:.4g}")


def test_an_image_is_classified(tmp_path):
    task = ImageClassification(tiny_image_processor(), labels=NAMES)
    question = ClassQuestion(tiny_vit(3), task, [])
    picture = Image.new("RGB", (9, 7), (200, 30, 90))
    image, label = question.fields
    assert (image.entry, image.needed) == (Entry.PICTURE, True)
    assert label.choices == NAMES
    given = question.posed({"image": picture, "label": "fine"}, tmp_path)
    assert given.example == {"image": picture, "label": 1}
    own = question.posed({"image": picture}, tmp_path)
    batch = task.collate([{"image": picture, "label": 0}])
    with torch.no_grad():
        logits = question.model(pixel_values=batch["pixel_values"]).logits[0]
    assert own.example["label"] == int(logits.argmax())
