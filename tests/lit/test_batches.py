from __future__ import annotations

import random

import pytest
import torch

from sei.lit.batches import IGNORE, Epochs, TokenBudget, collate


def lengths(n: int, seed: int = 0, low: int = 10, high: int = 60) -> list[int]:
    rng = random.Random(seed)
    return [rng.randint(low, high) for _ in range(n)]


@pytest.mark.parametrize(("n", "high"), [(40, 60), (200, 30), (400, 90), (37, 20)])
def test_a_token_budget_is_met_whatever_the_examples(n, high):
    supervised = lengths(n, high=high)
    plan = TokenBudget(steps=50, tokens_per_step=400).plan(supervised, supervised, seed=3)
    spent = sum(supervised[i] for b in plan for i in b)
    assert len(plan) == 50
    assert abs(spent - 50 * 400) <= 0.02 * 50 * 400


@pytest.mark.parametrize(
    ("steps", "tokens", "n", "low", "high"),
    [(80, 300, 150, 50, 300), (25, 500, 190, 50, 400), (25, 500, 1000, 50, 400)],
)
def test_a_token_budget_is_met_by_long_examples_too(steps, tokens, n, low, high):
    """The last epoch was cut after its shuffle: budgets were missed by up to 13 %."""
    for seed in range(20):
        supervised = lengths(n, seed=seed, low=low, high=high)
        plan = TokenBudget(steps=steps, tokens_per_step=tokens).plan(supervised, supervised, seed=seed)
        spent = sum(supervised[i] for b in plan for i in b)
        assert len(plan) == steps
        assert abs(spent - steps * tokens) <= max(0.02 * steps * tokens, high)


@pytest.mark.parametrize("steps", [2, 5, 10])
def test_a_part_of_an_epoch_is_a_random_sample(steps):
    """The exact plan began with the shortest examples of each bucket."""
    shares = []
    for seed in range(60):
        supervised = lengths(1000, seed=seed, low=10, high=150)
        plan = TokenBudget(steps=steps, tokens_per_step=200).plan(supervised, supervised, seed=seed)
        used = [supervised[i] for b in plan for i in b]
        shares.append(sum(used) / len(used) / (sum(supervised) / 1000))
    assert sum(shares) / len(shares) == pytest.approx(1, abs=0.12)


def test_an_epoch_uses_every_example_once():
    supervised = lengths(100)
    plan = Epochs(epochs=3, batch_size=8).plan(supervised, supervised, seed=0)
    assert sorted(i for b in plan for i in b) == sorted(list(range(100)) * 3)
    assert max(map(len, plan)) == 8


def test_examples_are_used_evenly_under_a_token_budget():
    supervised = [20] * 50
    plan = TokenBudget(steps=30, tokens_per_step=200).plan(supervised, supervised, seed=0)
    counts = [sum(b.count(i) for b in plan) for i in range(50)]
    assert max(counts) - min(counts) <= 1


def test_the_plan_is_a_pure_function_of_the_seed():
    supervised = lengths(60)
    schedule = TokenBudget(steps=20, tokens_per_step=300)
    assert schedule.plan(supervised, supervised, 1) == schedule.plan(supervised, supervised, 1)
    assert schedule.plan(supervised, supervised, 1) != schedule.plan(supervised, supervised, 2)


def test_batches_hold_examples_of_like_length():
    supervised = lengths(400)
    plan = Epochs(epochs=1, batch_size=10).plan(supervised, supervised, 0)
    padded = sum(max(supervised[i] for i in b) * len(b) for b in plan)
    assert padded < 1.15 * sum(supervised)


def test_collation_to_the_token():
    batch = collate([([5, 6], [7, 8, 2]), ([9], [2])], pad=0)
    assert batch["input_ids"].tolist() == [[5, 6, 7, 8, 2], [9, 2, 0, 0, 0]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 1, 1], [1, 1, 0, 0, 0]]
    assert batch["labels"].tolist() == [[IGNORE, IGNORE, 7, 8, 2], [IGNORE, 2, IGNORE, IGNORE, IGNORE]]
    assert batch["labels"].dtype == torch.int64
