"""Words of tasks are what run.yaml says."""

from datainf.core.task_options import Measure, Processor, Weighting


def test_words_are_written_as_they_are_said() -> None:
    assert [str(word) for word in Processor] == ["tokenizer", "processor", "pipeline"]
    assert [str(word) for word in Weighting] == ["uniform", "min-snr", "logit-normal"]
    assert [str(word) for word in Measure] == ["loss", "square", "average"]
