"""The configuration pages: one for each group of conf/, and one for config.yaml."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from commented import CommentedFile, Key, read_conf
from meanings import Meaning, Meanings

_CODE = re.compile(
    r"(?P<url>https?://[^\s,;()]+)"
    r"|(?P<page>\b(?:docs|experiments)/[\w/]+\.md\b)"
    r"|(?P<code>pip install '[^']+'|<\w+>|\$?\{[^}]*\}|\\\w+(?:\{\})?|\S+\*\*\S+|_\w+_"
    r"|(?<![\w/])[+~]?(?:[\w@./-]+=[^\s;)]*[^\s,;:).]|\w+(?:\.\w+)*_\w+(?:\.\w+)*|[a-z_]+(?:\.[a-z_]+)+))"
)
_LABELLED = re.compile(r"^([A-Z][\w ]+):\s+(\S.*)$")
_OF_EXPERIMENTS = ("Question", "Command", "Control", "SEI", "Faster", "Protocol", "Cost", "Observed")
_COMMANDS = ("Command", "Control", "SEI")
_SETTINGS = re.compile(r"^(?:sei )?(?:[+~]?[\w@./]+=\S+ ?)+(?:-m)?$")
_REFERENCE = re.compile(r"^\$\{([\w.]+)\}$")
EXAMPLES = {
    "ablation": ("sei ablation=full,no_refinement seed=0,1,2 -m",),
    "benchmarks": ("sei data=gsm8k benchmarks=word_problems",),
    "benchmarks/set": ("sei data=gsm8k benchmarks=paper +benchmarks/set@benchmarks.svamp=svamp",),
    "clusterer": ("sei clusterer=kmeans clusterer.max_types=12", "sei clusterer=ward,none,shuffled seed=0,1,2 -m"),
    "data": (
        "sei data=gsm8k_math",
        "sei data=jsonl data.train=mine.jsonl data.test=test.jsonl engine.max_new_tokens=512",
    ),
    "engine": ("sei engine.batch_size=64", "sei model=own model.source=FOLDER engine=openai_server"),
    "experiment": ("sei experiment=smoke", "sei experiment=smoke refiner=none"),
    "finetuner": ("sei finetuner=lora finetuner.lora_r=8",),
    "grader": ("sei grader.seconds=2", "sei data=gsm8k grader.skip_bad_gold=true"),
    "instructor": (
        "sei instructor=gpt4o instructor.max_usd=5",
        "sei instructor=openai_compatible instructor.concurrency=32",
    ),
    "model": ("sei model=own model.source=FOLDER_OR_HUB_ID", "sei model=tiny_h"),
    "refiner": ("sei refiner=gradient refiner.keep=0.3", "sei refiner=one_shot_step,random,none seed=0,1,2 -m"),
    "second_opinion": ("sei instructor=gpt4o second_opinion=symbolic",),
    "synthesizer": ("sei synthesizer=combine budget.balance=1", "sei synthesizer=self_instruct,random seed=0,1,2 -m"),
    "tracker": ("sei tracker=local",),
    "trainer": ("sei trainer=gpu", "sei trainer=ddp trainer.devices=8 finetuner=lora"),
}
"""Commands that show how to choose an option of a group; another group gets a plain one."""


def conf_pages(root: Path) -> dict[str, str]:
    """Return the text of every configuration page by its place among the pages, such as ``configuration/model.md``."""
    meanings = Meanings(read_conf(root / "conf"))
    pages = {"configuration/config.md": _config_page(meanings)}
    for group in meanings.groups:
        pages[f"configuration/{page_of(group)}.md"] = _group_page(group, meanings, root)
    return pages


def page_of(group: str) -> str:
    """Return the name of a group's page: groups inside another one have their own."""
    return group.replace("/", "_")


def group_list(root: Path) -> str:
    """Return a table of all groups, each with its page, its meaning and its usual option."""
    meanings = Meanings(read_conf(root / "conf"))
    rows = ["| group | what it chooses | default |", "|---|---|---|"]
    for group in sorted(meanings.groups, key=[*meanings.usual, *meanings.groups].index):
        usual = _usual(group, meanings)
        default = f"`{usual}`" if usual else ""
        rows.append(f"| [`{group}`](configuration/{page_of(group)}.md) | {_about(group, meanings)} | {default} |")
    return "\n".join(rows) + "\n"


def marked(text: str, page: str = "../") -> str:
    """Return a comment as Markdown: settings as code, addresses and pages as links; ``page`` leads to the top."""

    def mark(found: re.Match[str]) -> str:
        if found["url"]:
            return f"<{found[0]}>"
        if found["page"]:
            name = found[0].removeprefix("docs/")
            return f"[{found[0]}]({page}{name})"
        return f"`{found[0]}`"

    return _CODE.sub(mark, text).replace("|", "\\|")


def _about(group: str, meanings: Meanings) -> str:
    if group in meanings.usual:
        return marked(meanings.usual[group].comment, "")
    return f"one entry of a [`{group.partition('/')[0]}`](configuration/{page_of(group.partition('/')[0])}.md) option"


def _usual(group: str, meanings: Meanings) -> str:
    option = meanings.usual[group].option if group in meanings.usual else ""
    return "" if option == "null" else option


def _config_page(meanings: Meanings) -> str:
    file = meanings.config
    parts = ["# config.yaml", *_heading(file), "## Groups", _defaults_table(meanings), "## Single settings"]
    parts.append(_table([k for k in file.keys if len(k.path) == 1 and k.value], file, meanings))
    for key in file.keys:
        if len(key.path) == 1 and not key.value:
            parts += [f"## {key.name}", marked(_sentence(key.comment))]
            parts.append(_table([k for k in file.keys if k.path[0] == key.name and k is not key], file, meanings))
    return "\n\n".join(parts) + "\n"


def _defaults_table(meanings: Meanings) -> str:
    rows = ["| entry | option | meaning |", "|---|---|---|"]
    for d in meanings.config.defaults:
        entry = f"[`{d.group}`]({page_of(d.group)}.md)" if d.group else f"`{d.entry}`"
        rows.append(f"| {entry} | {_code(d.option)} | {marked(d.comment)} |")
    return "\n".join(rows)


def _group_page(group: str, meanings: Meanings, root: Path) -> str:
    options = sorted(f for f in meanings.conf if f.rpartition("/")[0] == group)
    files = [meanings.conf[name] for name in options]
    usual = _usual(group, meanings)
    files.sort(key=lambda f: f.option != usual)
    parts = [f"# {group}"]
    if group in meanings.usual:
        parts.append(_sentence(marked(meanings.usual[group].comment)))
    parts.append(_block(*EXAMPLES.get(group, [f"sei {group}={files[-1].option}"])))
    parts.append(_options_table(files, usual))
    for file in files:
        parts += _option(file, usual, meanings, root)
    return "\n\n".join(parts) + "\n"


def _options_table(files: list[CommentedFile], usual: str) -> str:
    rows = ["| option | what it is |", "|---|---|"]
    for f in files:
        first = f.heading[0] if f.heading else ""
        about = _sentence(marked(first.removeprefix("Question: ")))
        rows.append(f"| [`{f.option}`](#{f.option}){' (default)' if f.option == usual else ''} | {about} |")
    return "\n".join(rows)


def _option(file: CommentedFile, usual: str, meanings: Meanings, root: Path) -> Iterator[str]:
    yield f"## {file.option} {{ #{file.option} }}"
    yield from _heading(file)
    if "/" not in file.group and file.group != "experiment":
        yield f"Choose it with `{file.group}={file.option}`" + (", or leave it out." if file.option == usual else ".")
    target = next((k.value for k in file.keys if k.path == ("_target_",)), "")
    if target:
        yield f"Class: `{target}`."
    yield from _starts_from(file, meanings)
    rows = [k for k in file.keys if k.path != ("_target_",) and (k.value or k.comment or not file.is_global)]
    if rows:
        yield _table(rows, file, meanings)
    yield from _more(file, meanings, root)


def _starts_from(file: CommentedFile, meanings: Meanings) -> Iterator[str]:
    """Say which options a file starts from, puts inside itself, and chooses of other groups."""
    for parent in meanings.parents(file):
        yield f"Starts from [`{parent.option}`](#{parent.option}); keys that are not listed here are as there."
        break
    held = [(".".join(place), inner) for place, inner in meanings.mounted(file)]
    if held:
        above = "".join(f"{p}." for p in file.package)
        named = [f"`{above}{p}` is [`{f.option}`]({page_of(f.group)}.md#{f.option})" for p, f in held]
        yield f"It holds other options, and takes their keys below these names: {', '.join(named)}."
    chosen = [d for d in file.defaults if d.entry.startswith("override ")]
    if chosen:
        rows = ["| group | option | why |", "|---|---|---|"]
        for d in chosen:
            link = f"[`{d.option}`]({page_of(d.group)}.md#{d.option})"
            rows.append(f"| `{d.group}` | {link} | {marked(d.comment)} |")
        yield "It chooses these options:"
        yield "\n".join(rows)


def _more(file: CommentedFile, meanings: Meanings, root: Path) -> Iterator[str]:
    """Name the settings of the class that the file leaves as they are."""
    target = next((k.value for k in file.keys if k.path == ("_target_",)), "")
    fields = class_settings(root, target) if target else {}
    given = {k.path[0] for k in file.keys} | {place[0] for place, _ in meanings.mounted(file)}
    given |= {k.path[1] for k in meanings.config.keys if k.path[0] == file.group and len(k.path) > 1}
    left = {name: value for name, value in fields.items() if name not in {*given, "name"}}
    if left:
        named = ", ".join(f"`+{'.'.join((*file.package, name))}` ({_code(value)})" for name, value in left.items())
        yield f"Further settings of the class, with their values: {named}."


def class_settings(root: Path, target: str) -> dict[str, str]:
    """Return the settings of a part that have a value of their own, as its source writes them."""
    module, _, name = target.rpartition(".")
    source = root / f"{module.replace('.', '/')}.py"
    if not source.is_file():
        return {}
    tree = ast.parse(source.read_text(encoding="utf-8"))
    body = next((n.body for n in tree.body if isinstance(n, ast.ClassDef) and n.name == name), [])
    fields = [
        n for n in body if isinstance(n, ast.AnnAssign) and n.value and "ClassVar" not in ast.unparse(n.annotation)
    ]
    values = {ast.unparse(n.target): ast.unparse(n.value) for n in fields if n.value}
    return {k: v.replace("Field(default_factory=dict)", "{}") for k, v in values.items()}


def _heading(file: CommentedFile) -> Iterator[str]:
    """Yield the heading comment: plain lines as one paragraph, lines with a label as a list."""
    plain: list[str] = []
    labelled: list[list[str]] = []
    for line in file.heading:
        label = _LABELLED.match(line)
        if label and (label[1] in _OF_EXPERIMENTS if file.group == "experiment" else _SETTINGS.match(label[2])):
            labelled.append([label[1], label[2]])
        elif labelled and line.startswith("  "):
            labelled[-1][1] += f" {line.strip()}"
        else:
            plain.append(line)
    parts = ["\n".join(f"- **{name}**: {_labelled(name, text)}" for name, text in labelled)] if labelled else []
    if plain:
        parts.insert(0 if file.group != "experiment" else 1, marked(" ".join(plain)))
    yield from parts


def _labelled(name: str, text: str) -> str:
    return f"`{text}`" if name in _COMMANDS or _SETTINGS.match(text) else marked(text)


def _table(keys: list[Key], file: CommentedFile, meanings: Meanings) -> str:
    rows = ["| key | value | meaning |", "|---|---|---|"]
    for key in keys:
        meaning = meanings.of(file, key)
        name = ".".join((*file.package, *key.path)) if not file.is_global else key.name
        rows.append(f"| {_code(name)} | {_value(key.value, meanings)} | {_cell(meaning)} |")
    return "\n".join(rows)


def _value(value: str, meanings: Meanings) -> str:
    """Return a value as code; one that refers to another key leads there."""
    reference = _REFERENCE.match(value)
    if not reference:
        return _code(value)
    first = reference[1].partition(".")[0]
    if first in meanings.usual:
        return f"[{_code(value)}]({page_of(first)}.md)"
    single = any(k.path == (first,) and k.value for k in meanings.config.keys)
    return f"[{_code(value)}](config.md#{'single-settings' if single else first})"


def _cell(meaning: Meaning | None) -> str:
    if meaning is None:
        return ""
    return marked(meaning.text) + (f"; here: {marked(meaning.here)}" if meaning.here else "")


def _code(value: str) -> str:
    lines = [f"`{line}`" for line in value.split("\n")] if value else []
    return "<br>".join(lines).replace("|", "\\|")


def _block(*lines: str) -> str:
    return "\n".join(["```", *lines, "```"])


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '?')) else '.'}" if text else text
