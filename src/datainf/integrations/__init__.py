"""The edge: the only importers of transformers, peft, datasets and accelerate."""
