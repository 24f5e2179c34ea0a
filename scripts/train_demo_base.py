"""Train the demo's base: a Llama of one million parameters that reads characters.

    python -m scripts.train_demo_base --out DIR

It practises the skills of `datainf.experiments.data.skills` and is saved in half
precision with a tokenizer that `transformers.AutoTokenizer` loads. The copy that the
demo uses is shipped in `src/datainf/experiments/assets/demo-base`.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from random import Random

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from datainf.experiments.data.skills import draw_practice, draw_skills

CHARACTERS = "\n !\"#%&'()*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZ"
CHARACTERS += "abcdefghijklmnopqrstuvwxyz"
IGNORED = -100


def build_tokenizer() -> PreTrainedTokenizerFast:
    """Make the tokenizer: one token a character, and none is added by itself."""
    special = ["<pad>", "<eos>", "<unk>"]
    vocabulary = {token: i for i, token in enumerate([*special, *CHARACTERS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    tokenizer.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="<eos>",
        unk_token="<unk>",
        clean_up_tokenization_spaces=False,
        model_max_length=128,
        model_input_names=["input_ids", "attention_mask"],
    )


def build_model(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """Make the untrained model."""
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=128,
            intermediate_size=384,
            num_hidden_layers=4,
            num_attention_heads=4,
            num_key_value_heads=4,
            max_position_embeddings=128,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            attn_implementation="eager",  # on CPU its backward is faster than sdpa's
        )
    )


def encode(
    tokenizer: PreTrainedTokenizerFast, rows: list[tuple[str, str]]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Turn prompts and completions into input ids and labels, padded on the right."""
    ids, labels = [], []
    for prompt, completion in rows:
        question = tokenizer(prompt)["input_ids"]
        answer = [*tokenizer(completion)["input_ids"], tokenizer.eos_token_id]
        ids.append(torch.tensor(question + answer))
        labels.append(torch.tensor([IGNORED] * len(question) + answer))
    pad = torch.nn.utils.rnn.pad_sequence
    return (
        pad(ids, batch_first=True, padding_value=tokenizer.pad_token_id),
        pad(labels, batch_first=True, padding_value=IGNORED),
    )


def train(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    *,
    steps: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
    checkpoint: Path,
) -> None:
    """Train with AdamW and a learning rate that warms up and falls to zero.

    Args:
        model: Trained in place.
        tokenizer: The model's.
        steps: Number of batches.
        batch_size: Rows of a batch.
        learning_rate: The highest one.
        seed: Decides the rows.
        checkpoint: Where the model is saved now and then, and at the end.
    """
    rng = Random(seed)
    skills = draw_skills()
    warmup = max(1, steps // 20)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=learning_rate, betas=(0.9, 0.98), weight_decay=0.01
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: min((step + 1) / warmup, (steps - step) / (steps - warmup)),
    )
    started = time.monotonic()
    for step in range(1, steps + 1):
        rows = [draw_practice(rng, skills) for _ in range(batch_size)]
        ids, labels = encode(tokenizer, rows)
        # Padding is on the right, where a causal model does not see it: no mask needed.
        with torch.autocast("cpu", torch.bfloat16):
            loss = model(input_ids=ids, labels=labels, use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        if step % 50 == 0 or step == steps:
            left = (time.monotonic() - started) / step * (steps - step)
            sys.stderr.write(
                f"step {step}/{steps}  loss {loss.item():.4f}  "
                f"{left / 60:.1f} min left\n"
            )
        if step % 500 == 0 or step == steps:
            save(model, tokenizer, checkpoint)


def save(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, out: Path
) -> None:
    """Write model and tokenizer in half precision; the model itself stays as it is."""
    half = LlamaForCausalLM(model.config).half()
    half.load_state_dict(model.state_dict())
    half.save_pretrained(out)
    tokenizer.save_pretrained(out)
    # The name that transformers 4 and 5 both know; 5 writes its own.
    path = out / "tokenizer_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config.pop("backend", None)
    config["tokenizer_class"] = "PreTrainedTokenizerFast"
    path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def main(arguments: list[str] | None = None) -> None:
    """Train a base from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    torch.manual_seed(options.seed)
    tokenizer = build_tokenizer()
    model = build_model(tokenizer)
    train(
        model,
        tokenizer,
        steps=options.steps,
        batch_size=options.batch_size,
        learning_rate=options.learning_rate,
        seed=options.seed,
        checkpoint=options.out,
    )


if __name__ == "__main__":
    main()
