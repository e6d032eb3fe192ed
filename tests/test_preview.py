"""A dry run shows the first prompt of the target model, decoded from its tokens."""

from __future__ import annotations

from sei.preview import show_prompt
from tests.builders import TINY, problem


def test_a_dry_run_shows_the_prompt_and_counts_its_tokens(capsys):
    asked = problem(1, "Anna has 3 pens. How many pens?")
    show_prompt(TINY.without_weights(), asked)
    said = capsys.readouterr().out
    assert "first prompt of the target model" in said
    assert "Question: Anna has 3 pens. How many pens?\nAnswer:" in said
    ids = TINY.without_weights().tokenizer("Question: Anna has 3 pens. How many pens?\nAnswer:")["input_ids"]
    assert f"[{len(ids)} tokens]" in said


def test_a_dry_run_says_how_many_words_the_model_cannot_read(capsys):
    show_prompt(TINY.without_weights(), problem(1, "Integrate the polynomial."))
    assert "of them are words that the tokenizer does not know]" in capsys.readouterr().out
