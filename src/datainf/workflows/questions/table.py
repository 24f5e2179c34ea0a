"""Which question belongs to which task: another task is another line."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from datainf.core.errors import OptionError
from datainf.integrations.tasks.causal_lm import CausalLM
from datainf.integrations.tasks.image_classification import ImageClassification
from datainf.integrations.tasks.seq2seq import Seq2Seq
from datainf.integrations.tasks.sequence_classification import SequenceClassification
from datainf.integrations.tasks.text_to_image import TextToImage
from datainf.integrations.tasks.token_classification import TokenClassification
from datainf.workflows.questions.base import Question
from datainf.workflows.questions.classes import ClassQuestion
from datainf.workflows.questions.drawing import DrawingQuestion
from datainf.workflows.questions.language import LanguageQuestion
from datainf.workflows.questions.words import WordsQuestion

QUESTIONS: Mapping[str, type[Question]] = {
    CausalLM.name: LanguageQuestion,
    Seq2Seq.name: LanguageQuestion,
    SequenceClassification.name: ClassQuestion,
    ImageClassification.name: ClassQuestion,
    TokenClassification.name: WordsQuestion,
    TextToImage.name: DrawingQuestion,
}


def question_of(model: nn.Module, task: Any, dataset: Any) -> Question:
    """Say what can be asked of a run.

    Args:
        model: The adapted model.
        task: Its task.
        dataset: The training rows.

    Returns:
        The question.

    Raises:
        OptionError: If nothing is known of such a task.
    """
    name = task.settings()["name"]
    if name not in QUESTIONS:
        raise OptionError(
            f"no question is known for the task {name}; known are "
            f"{', '.join(QUESTIONS)}. Explain your outputs with `datainf attribute "
            "--queries FILE`."
        )
    return QUESTIONS[name](model, task, dataset)
