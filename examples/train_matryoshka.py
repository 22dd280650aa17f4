"""Full Matryoshka training of a small model, with sentence-transformers' own trainer.

python examples/train_matryoshka.py BASE PAIRS.jsonl OUT [STEPS]
BASE is a sentence-transformers model, PAIRS has lines {"query": ..., "text": ...}. Needs
pip install 'edge-mrl[train]'. Then: edge-mrl export OUT -o BUNDLE

Here every weight of the model learns. `edge-mrl adapt` leaves the model as it is and trains two
layers behind it, without pairs and in minutes.
"""

import os
import sys
import tempfile

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

from datasets import load_dataset
from sentence_transformers import (
    SentenceTransformer,
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
)
from sentence_transformers.sentence_transformer.losses import (
    MatryoshkaLoss,
    MultipleNegativesRankingLoss,
)

SEED = 0


def sizes_of(width: int) -> list[int]:
    """The width and its halves down to an eighth, largest first: 384, 192, 96, 48."""
    return [width >> halvings for halvings in range(4)]


def main(base: str, pairs: str, out: str, steps: int = 1000) -> None:
    model = SentenceTransformer(base, device="cpu")
    dataset = load_dataset("json", data_files=pairs, split="train").select_columns(
        ["query", "text"]
    )
    # The other texts of a batch are what a query must not find; the loss is summed over the sizes.
    loss = MatryoshkaLoss(
        model,
        MultipleNegativesRankingLoss(model),
        matryoshka_dims=sizes_of(model.get_embedding_dimension()),
    )
    arguments = SentenceTransformerTrainingArguments(
        output_dir=tempfile.mkdtemp(),  # for checkpoints, which are not saved here
        max_steps=steps,
        per_device_train_batch_size=64,
        learning_rate=2e-5,
        warmup_steps=steps // 10,
        save_strategy="no",
        report_to="none",
        seed=SEED,
        use_cpu=True,
    )
    trainer = SentenceTransformerTrainer(
        model=model, args=arguments, train_dataset=dataset, loss=loss
    )
    trainer.train()
    # The model card that is saved with it records the sizes, and `edge-mrl export` reads them.
    model.save_pretrained(out)


if __name__ == "__main__":
    if not 4 <= len(sys.argv) <= 5:
        sys.exit(__doc__)
    main(*sys.argv[1:4], *map(int, sys.argv[4:]))
