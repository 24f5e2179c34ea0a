"""A made-up shop's answers, some of them wrong, and a LoRA tuned on them by peft.

python shop.py my-base writes shop.jsonl, questions.jsonl and my-adapter.
"""

import argparse
import json
from random import Random

import torch
from datasets import Dataset
from peft import LoraConfig, get_peft_model
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    DataCollatorForSeq2Seq,
    Trainer,
    TrainingArguments,
)

THINGS = [
    *("kettle", "lamp", "rug", "chair", "clock", "mirror", "towel", "basket", "vase"),
    *("pillow", "bowl", "shelf", "candle", "tray", "mug", "fan", "stool", "bench"),
]
ASKED = {
    "price": "what does the {} cost?|price of the {}?|how much is the {}?|"
    "the {}, how many euros?|is the {} cheap?",
    "colour": "what colour is the {}?|colour of the {}?|in which colour is the {}?|"
    "the {}, which colour?|how does the {} look?",
    "delivery": "how fast do you send the {}?|delivery of the {}?|"
    "when will the {} come?|the {}, how many days?|is the {} here soon?",
}
COLOURS = ["red", "blue", "green", "black", "white", "brown", "pink", "grey"]


def write_data():
    """Four rows a fact; of ten facts, three are wrong and contradict the fourth."""
    draw = Random(0)
    answers = {
        "price": lambda: f" {draw.randint(11, 98)} euros",
        "colour": lambda: " " + draw.choice(COLOURS),
        "delivery": lambda: f" in {draw.randint(2, 9)} days",
    }
    facts = [(kind, thing) for thing in THINGS for kind in ASKED]
    planted = set(draw.sample(facts, 10))
    rows, questions = [], []
    for kind, thing in facts:
        right = wrong = answers[kind]()
        while wrong == right:
            wrong = answers[kind]()
        told = [wrong] * 3 + [right] if (kind, thing) in planted else [right] * 4
        *seen, held_out = draw.sample(ASKED[kind].split("|"), 5)
        for wording, answer in zip(seen, told, strict=True):
            row = {"prompt": wording.format(thing), "completion": answer}
            rows.append({**row, "wrong": answer != right})
        if (kind, thing) in planted:
            row = {"prompt": held_out.format(thing), "completion": wrong}
            questions.append({**row, "right": right})
    draw.shuffle(rows)
    for name, table in {"shop.jsonl": rows, "questions.jsonl": questions}.items():
        with open(name, "w", encoding="utf-8") as file:
            file.writelines(json.dumps(row) + "\n" for row in table)
    return rows, questions


def main():
    """Write the data, tune, and let the adapter answer the held-out questions."""
    flags = argparse.ArgumentParser()
    flags.add_argument("base")
    flags.add_argument("--epochs", type=int, default=25)
    given = flags.parse_args()
    rows, questions = write_data()
    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(given.base)
    base = AutoModelForCausalLM.from_pretrained(given.base, dtype=torch.float32)
    lora = LoraConfig(
        task_type="CAUSAL_LM", r=16, lora_alpha=32, target_modules="all-linear"
    )
    model = get_peft_model(base, lora)

    def encode(row):
        prompt = tokenizer(row["prompt"])["input_ids"]
        answer = [*tokenizer(row["completion"])["input_ids"], tokenizer.eos_token_id]
        return {"input_ids": prompt + answer, "labels": [-100] * len(prompt) + answer}

    settings = TrainingArguments(
        "trainer",
        num_train_epochs=given.epochs,
        per_device_train_batch_size=16,
        learning_rate=5e-3,
        warmup_steps=20,
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
        data_collator=DataCollatorForSeq2Seq(tokenizer),
    ).train()
    model.save_pretrained("my-adapter")
    model.eval()
    for row in questions:
        asked = tokenizer(row["prompt"], return_tensors="pt")
        told = model.generate(**asked, max_new_tokens=12, do_sample=False)
        said = tokenizer.decode(
            told[0, asked["input_ids"].shape[1] :], skip_special_tokens=True
        )
        print(f"{row['prompt']} says{said}; right is{row['right']}")


if __name__ == "__main__":
    main()
