"""Training an adapter on vectors that stay as they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from edge_mrl.slices import FloatArray
from edge_mrl_export.adapt.adapter import Adapter
from edge_mrl_export.adapt.loss import matryoshka_loss

BATCH = 512
LEARNING_RATE = 1e-3
WARM_UP_SHARE = 0.1

OnStep = Callable[[int, int], None]
"""Called with how many steps are done, and how many there are."""


def train(
    vectors: FloatArray,
    dims: Sequence[int],
    *,
    epochs: int,
    seed: int,
    on_step: OnStep = lambda done, total: None,
) -> Adapter:
    """Train an adapter with AdamW, the learning rate rising and falling once.

    Args:
        vectors: (n, D) float32 unit vectors of the model; n is 2 or more.
        dims: sizes to train, rising; the last is the width of the result.
        epochs: how often each vector is seen.
        seed: decides the first weights and the order of the batches. The same seed on the
            same machine gives the same adapter.
        on_step: called after each batch.
    """
    own = torch.from_numpy(vectors)
    random = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        # Layers draw their first weights from torch's own generator.
        torch.manual_seed(seed)
        adapter = Adapter(own, dims[-1])
    size = min(BATCH, len(own))
    batches = len(own) // size
    total = epochs * batches
    optimizer = torch.optim.AdamW(adapter.parameters(), lr=LEARNING_RATE, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, LEARNING_RATE, total_steps=total + 1, pct_start=WARM_UP_SHARE
    )
    for epoch in range(epochs):
        order = torch.randperm(len(own), generator=random)
        for number in range(batches):
            batch = own[order[number * size : (number + 1) * size]]
            loss = matryoshka_loss(batch, adapter(batch), dims)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            on_step(epoch * batches + number + 1, total)
    return adapter
