"""A tiny training by the Trainer itself, as a user's own script has it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers import PrinterCallback, Trainer, TrainingArguments, set_seed

from datainf.integrations.tasks.sequence_classification import SequenceClassification
from datainf.integrations.weights import collated
from tests.tiny_models import tiny_bert_classifier, tiny_tokenizer, with_lora

ROWS = [
    {"text": word * (i % 4 + 1), "label": i % 3 % 2}
    for i, word in enumerate(["fine ", "bad "] * 6)
][:11]
QUESTIONS = [{"text": "fine bad " * n, "label": n % 2} for n in (1, 2, 3)]
TASK = SequenceClassification(tiny_tokenizer(), num_labels=2)
STEPS_AN_EPOCH, EPOCHS = 3, 2


def trainer_of(out: Path, **arguments: Any) -> Any:
    """Make a Trainer of a tiny classifier: 11 rows, 3 steps an epoch, 2 epochs."""
    set_seed(0)
    model = with_lora(tiny_bert_classifier(2), "SEQ_CLS")
    asked = {
        "num_train_epochs": EPOCHS,
        "per_device_train_batch_size": 4,
        "learning_rate": 1e-2,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "use_cpu": True,
        "remove_unused_columns": False,
        "label_names": ["labels"],
        **arguments,
    }
    trainer = Trainer(
        model=model,
        args=TrainingArguments(output_dir=str(out), **asked),
        train_dataset=ROWS,
        data_collator=collated(TASK),
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def adapter_bytes(model: Any) -> dict[str, bytes]:
    """Everything that was trained, to the bit."""
    return {
        name: parameter.detach().numpy().tobytes()
        for name, parameter in model.named_parameters()
        if "lora_" in name or "modules_to_save" in name
    }


def names_of(folders: Sequence[Path]) -> list[str]:
    return [folder.name for folder in folders]
