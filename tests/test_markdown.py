"""The Markdown of the repository keeps its rules, and the checker sees each breach of them."""

from __future__ import annotations

import pytest

from tests import markdown


def found(tmp_path, text: str) -> list[tuple[int, str]]:
    page = tmp_path / "page.md"
    page.write_text(text, encoding="utf-8")
    return sorted(markdown.breaches(page))


def test_the_repository_keeps_the_rules():
    pages = markdown.files()
    assert {p.relative_to(markdown.ROOT).as_posix() for p in pages} >= {"README.md", "CONTRIBUTING.md", "docs/data.md"}
    broken = [f"{p.relative_to(markdown.ROOT)}:{n}: {why}" for p in pages for n, why in sorted(markdown.breaches(p))]
    assert broken == []


@pytest.mark.parametrize(
    ("line", "count"),
    [
        ("One thought.", 1),
        ("One thought, cut off", 1),
        ("One thought. Another one.", 2),
        ("Is it one? It is! And a third", 3),
        ("- An item. And more", 2),
        ("12. A numbered item.", 1),
        ("> A quotation. And more.", 2),
        ("It has a label, e.g. Dev, i.e. Test, as Wang et al. Say, vs. None.", 1),
        ("E.g. A case, cf. Figure 2, Fig. 3 and No. 4.", 1),
        ("By J. R. Smith.", 1),
        ("Version 2.8 of 10. It takes 0.5 s.", 2),
        ("In 3.11 it is so.", 1),
        ("A list: a, b ... Z.", 1),
        ("The file `a.b. C` is read.", 1),
        ("It stops. `sei` goes on.", 2),
        ("It stops. sei goes on.", 2),
        ("It stops.) Then it goes on.", 2),
        ('He says "stop." Then he goes on.', 2),
        ("**Refused.** None is kept.", 1),
        ("**Refused.** None is kept. All is well.", 2),
        ("See [the page](a.md?x=1). It says more.", 2),
        ("See [Mr. and more](a.md), which says more.", 1),
        ("It ends. 20 begin.", 2),
        ("It ends. Ärzte begin.", 2),
    ],
)
def test_sentences_of_a_line_are_counted(line, count):
    assert markdown.sentences(line) == count


GOOD = """---
title: A page. With two sentences.
---
# Head. With two sentences

A sentence.
The next one.

- An item.
  It goes on.
- Another one.

    - An item below it.

```
code. More code.
# no heading
```

| a | b |
|---|---|
| One. Two. | c |

!!! note
    A sentence in a box.

<!-- Hidden. And hidden. -->
"""


def test_a_page_that_keeps_the_rules_has_no_breach(tmp_path):
    assert found(tmp_path, GOOD) == []


@pytest.mark.parametrize(
    ("text", "number", "said"),
    [
        ("a" * 120 + "\n" + "b" * 121, 2, "121 characters"),
        ("```\n" + "c" * 121 + "\n```", 2, "121 characters"),
        ("| " + "d" * 119 + " |", 1, "123 characters"),
        ("Text.\n\nOne. Two.", 3, "2 sentences"),
        ("- Item.\n  One. Two.", 2, "2 sentences"),
        ("!!! note\n    One. Two.", 2, "2 sentences"),
        ("# Head\nText.", 2, "a heading"),
        ("Text.\n## Head", 2, "a heading"),
        ("Text:\n- item", 2, "before a list"),
        ("- item\nText.", 2, "after a list"),
        ("- item\n  more\nText.", 3, "after a list"),
        ("Text:\n```\ncode\n```", 2, "a code block"),
        ("```\ncode\n```\nText.", 4, "a code block"),
        ("Text:\n| a |\n|---|", 2, "a table"),
        ("| a |\n|---|\nText.", 3, "a table"),
        ("Text.\n\n```\ncode\n~~~\n", 3, "not closed"),
        ("````\n```\n", 1, "not closed"),
        ("[a](no.md)", 1, "no.md, which is not there"),
        ("| [a](no.md) |", 1, "no.md, which is not there"),
        ("![a](no.png)", 1, "no.png, which is not there"),
        ("[a]: no.md", 1, "no.md, which is not there"),
        ('<img src="no.png">', 1, "no.png, which is not there"),
        ("# Head\n\n[a](#tail)", 3, "no such heading"),
        ("[a](page.md#tail)", 1, "no such heading"),
    ],
)
def test_each_breach_is_seen(tmp_path, text, number, said):
    ((at, why),) = found(tmp_path, text)
    assert (at, said in why) == (number, True), why


def test_links_that_lead_somewhere_are_no_breach(tmp_path):
    (tmp_path / "other.md").write_text("# The `cost` of it, and more\n\n## Set {#own}\n")
    text = (
        "[a](other.md#the-cost-of-it-and-more) [b](other.md#own) [c](#here-we-are) [d](https://example.org/no.md)\n"
        "[e](other.md) `[f](no.md)` [g](mailto:a@example.org)\n\n"
        "```\n[h](no.md)\n```\n\n# Here we are\n"
    )
    assert found(tmp_path, text) == []


def test_the_command_names_file_line_and_rule(tmp_path, capsys):
    page = tmp_path / "page.md"
    page.write_text("One. Two.\n")
    assert markdown.main([str(page)]) == 1
    assert capsys.readouterr().out == f"{page}:1: 2 sentences in one line\n"
    page.write_text("One.\nTwo.\n")
    assert markdown.main([str(page)]) == 0
