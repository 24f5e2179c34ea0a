"""Messages to a made-up shop, one in ten under a wrong label, and a classifier by peft.

python tickets.py my-encoder writes tickets.tsv, val.tsv and tickets-adapter.
"""

import argparse
import csv
from random import Random

import torch
from datasets import Dataset
from peft import LoraConfig, get_peft_model
from shop import THINGS
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
)

SAID = {
    "delivery": "when will my {} arrive?|my {} has not come yet|"
    "the parcel with the {} is lost|can you bring the {} on Friday?|"
    "where is the {} I bought?|the courier left the {} with a neighbour",
    "refund": "I want my money back for the {}|how do I return the {}?|"
    "you charged me twice for the {}|please cancel my {}|"
    "the {} costs less elsewhere, do you pay the difference?|"
    "I sent the {} back and got no money",
    "broken": "the {} has a crack|my {} stopped working|a part of the {} is missing|"
    "the {} fell apart after a week|there is a scratch on the {}|"
    "the {} makes a strange noise",
    "question": "is the {} made of wood?|does the {} fit in a small room?|"
    "which colours of the {} are there?|is the {} safe for children?|"
    "how heavy is the {}?|do you have the {} in a larger size?",
}
LABELS = sorted(SAID)
OPENINGS = ["", "hello, ", "hi, ", "good morning, ", "sorry to ask, "]


def write_data():
    """320 rows to train on, 32 of them mislabelled; 112 to trust."""
    draw = Random(1)
    rows = [
        {"text": draw.choice(OPENINGS) + said.format(thing), "label": label}
        for label, wordings in SAID.items()
        for said in wordings.split("|")
        for thing in THINGS
    ]
    draw.shuffle(rows)
    train = [{**row, "right": row["label"]} for row in rows[:320]]
    for row in draw.sample(train, 32):
        row["label"] = draw.choice([name for name in SAID if name != row["right"]])
    for name, table in {"tickets.tsv": train, "val.tsv": rows[320:]}.items():
        with open(name, "w", encoding="utf-8", newline="") as file:
            out = csv.DictWriter(file, [*table[0]], delimiter="\t")
            out.writeheader()
            out.writerows(table)
    return train


def main():
    """Write the data and tune the classifier on them."""
    flags = argparse.ArgumentParser()
    flags.add_argument("base")
    flags.add_argument("--epochs", type=int, default=10)
    given = flags.parse_args()
    rows = write_data()
    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(given.base)
    base = AutoModelForSequenceClassification.from_pretrained(given.base, num_labels=4)
    lora = LoraConfig(
        task_type="SEQ_CLS", r=8, lora_alpha=16, target_modules=["query", "value"]
    )
    model = get_peft_model(base, lora)

    def encode(row):
        return {**tokenizer(row["text"]), "labels": LABELS.index(row["label"])}

    settings = TrainingArguments(
        "trainer",
        num_train_epochs=given.epochs,
        per_device_train_batch_size=16,
        learning_rate=1e-3,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        use_cpu=True,
        seed=0,
    )
    Trainer(
        model=model,
        args=settings,
        train_dataset=Dataset.from_list(rows).map(encode, remove_columns=[*rows[0]]),
        data_collator=DataCollatorWithPadding(tokenizer),
    ).train()
    model.save_pretrained("tickets-adapter")


if __name__ == "__main__":
    main()
