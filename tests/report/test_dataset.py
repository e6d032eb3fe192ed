"""``dataset/``: other trainers can read it, and then train on the same data as the run."""

from __future__ import annotations

import dataclasses
import json
import re

import pytest
import yaml

from sei.data.arithmetic import Arithmetic
from sei.models.target import TargetModel
from sei.opened import OpenModel
from sei.records import Rejection, RoundRecord, TrainingExample
from sei.report.cards import described
from sei.report.dataset import chat_rows, write_dataset
from sei.report.model_folder import write_model
from tests.builders import TINY
from tests.doubles import Tokenizer
from tests.report.cards import code_of, origin
from tests.report.run_folders import make_record

HOSTILE = "x\n---\n[a](javascript:b) | <script> \"': {}\u2028\u202e\x1b[31m `c` &amp;\n# d\n"


def two_rounds(text: str = "") -> list[RoundRecord]:
    """Return two rounds; the second trains on an example of each and on a solved problem."""
    first, second = make_record(1, 20, 30, text=text), make_record(2, 20, 30, text=text)
    (old, *_), (_, young, *_) = first.synthesis.candidates, second.synthesis.candidates
    young = dataclasses.replace(young, id="s-2", round=2)
    synthesis = dataclasses.replace(second.synthesis, candidates=(young,))
    training = (
        TrainingExample(id=old.id, question=old.question, solution=old.solution, source="synthetic"),
        TrainingExample(id=young.id, question=young.question, solution=young.solution, source="synthetic"),
        TrainingExample(id="p7", question=text + "What is $x$?", solution="#### 1", source="replay"),
    )
    withheld = (Rejection(stage="curriculum", reason="validation_exact"),)
    return [first, dataclasses.replace(second, synthesis=synthesis, training=training, withheld=withheld)]


def test_rows_know_where_they_come_from():
    records = two_rounds()
    rows = chat_rows(records, TINY)
    types = [r.error_map.types[0].name for r in records]
    assert [(r["source"], r["error_type"], r["round"]) for r in rows] == [
        ("synthetic", types[0], 1),
        ("synthetic", types[1], 2),
        ("replay", None, None),
    ]
    assert [[m["role"] for m in r["messages"]] for r in rows] == [["user", "assistant"]] * 3


OWN = ("Problem: ${question}\nSolution: $answer", "Costs are in $$.\nQ: $question\nA: $answer")


@pytest.mark.parametrize("ask", ["plain", "hash", "boxed"])
@pytest.mark.parametrize("template", ["plain", "chat", *OWN])
def test_the_messages_say_what_the_target_model_is_asked(tmp_path, template, ask):
    """Layouts of one's own with ``${question}`` or ``$$`` lost the question or kept a dollar too many."""
    if template in OWN:
        (tmp_path / "layout.txt").write_text(template)
        template = str(tmp_path / "layout.txt")
    target = TargetModel(name="m", source="org/m", template=template, ask=ask)
    records = two_rounds()
    write_dataset(tmp_path, records, {}, origin(target=target))
    rows = [json.loads(line) for line in (tmp_path / "train.jsonl").read_text("utf-8").splitlines()]
    opened = OpenModel(model=None, tokenizer=Tokenizer(), template=target.kind, ask=ask, layout=target.layout)
    asked = opened.prompts([x.question for x in records[-1].training])
    pair = re.search(r"def pair.*?\n\n", code_of(tmp_path / "README.md"), re.DOTALL)[0]
    found: dict = {}
    exec(pair, found)
    made = [found["pair"](r) for r in rows]
    if template != "chat":
        assert [m["prompt"] for m in made] == asked
        glue = "\n" if template == "plain" else " "
        assert [m["completion"] for m in made] == [glue + x.solution for x in records[-1].training]
    else:
        shown = [Tokenizer().apply_chat_template(m["prompt"], tokenize=False, add_generation_prompt=True) for m in made]
        assert shown == asked
        assert [m["completion"][0]["content"] for m in made] == [x.solution for x in records[-1].training]


def test_the_card_counts_and_its_header_is_what_the_hub_reads(tmp_path):
    from huggingface_hub import DatasetCard

    write_dataset(tmp_path, two_rounds(), {"rouge_l": 4, "test_exact": 0}, origin(parts={"refiner": "Best(keep=0.5)"}))
    card = DatasetCard.load(tmp_path / "README.md")
    assert card.data.configs == [{"config_name": "default", "data_files": [{"split": "train", "path": "train.jsonl"}]}]
    assert card.data.size_categories == ["n<1K"]
    assert "self-error-instruct" in card.data.tags
    for line in ("| synthetic | 2 |", "| replay | 1 |", r"| rouge\_l | 4 |", r"| withheld\_validation\_exact | 1 |",
                 "| refiner | Best(keep=0.5) |", "| seed | 3 |", "| git commit of sei | def |"):  # fmt: skip
        assert line in card.text
    assert r"test\_exact" not in card.text
    assert "## Licence" in card.text


def test_hostile_text_breaks_neither_header_nor_tables_nor_rows(tmp_path):
    from huggingface_hub import DatasetCard

    records = two_rounds(HOSTILE)
    write_dataset(tmp_path, records, {HOSTILE: 1}, origin(experiment=HOSTILE, parts={"refiner": HOSTILE}))
    text = (tmp_path / "README.md").read_text("utf-8")
    card = DatasetCard(text)
    assert card.data.to_dict()["pretty_name"].startswith(r"x\n---\n[a](javascript:b)")
    assert card.text.lstrip().startswith("# x")
    head, body = text.removeprefix("---\n").split("\n---\n", 1)
    assert yaml.safe_load(head)["license"] == "unknown"
    assert not re.search("[\u2028\u202e\x1b]", text)
    outside = re.sub(r"```.*?```", "", body, flags=re.DOTALL)
    assert not re.search(r"(?<!\\)<|\](?<!\\\])\(|^# d", outside, re.MULTILINE)
    tables = [line for line in outside.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in tables} <= {3, 4}
    rows = (tmp_path / "train.jsonl").read_text("utf-8").removesuffix("\n").split("\n")
    assert [json.loads(r)["messages"][1]["content"] for r in rows] == [x.solution for x in records[-1].training]


def test_llama_factory_finds_columns_and_roles(tmp_path):
    write_dataset(tmp_path, two_rounds(), {}, origin())
    ((name, entry),) = json.loads((tmp_path / "dataset_info.json").read_text()).items()
    assert name == "sei_round_2"
    assert entry["formatting"] == "sharegpt"
    assert set(entry) <= {"file_name", "formatting", "columns", "tags"}
    tags = entry["tags"]
    for line in (tmp_path / entry["file_name"]).read_text("utf-8").splitlines():
        turns = json.loads(line)[entry["columns"]["messages"]]
        roles = [turn[tags["role_tag"]] for turn in turns]
        assert roles == [tags["user_tag"], tags["assistant_tag"]]  # questions at odd positions, answers at even ones
        assert all(turn[tags["content_tag"]] for turn in turns)


def test_a_part_is_described_by_its_numbers_and_no_path():
    shown = described(Arithmetic(pool=10, dev=10, test=10))
    assert shown.startswith("Arithmetic(pool=10, dev=10, test=10")
    assert "packaged" not in described(TINY)


def test_the_base_model_is_named_not_copied(tmp_path):
    from huggingface_hub import ModelCard

    target = TargetModel(name="m", source="org/m", revision="r", template="chat")
    write_model(tmp_path, target.base(), two_rounds()[0].scores, origin(target=target), best_round=0)
    card = ModelCard.load(tmp_path / "model" / "README.md")
    assert [p.name for p in (tmp_path / "model").iterdir()] == ["README.md"]
    assert card.data.base_model == "org/m"
    assert "No round improved" in card.text
    assert "| test\\_set | in\\_domain | 200 |" in card.text


@pytest.mark.filterwarnings("ignore")  # warnings of the other trainer and its imports
@pytest.mark.extra
def test_trl_takes_one_step_on_the_supervised_tokens(tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets", reason="needs pip install 'sei[trl]'")
    trl = pytest.importorskip("trl", minversion="1.16", reason="needs pip install 'sei[trl]'")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    pool = Arithmetic(pool=10, dev=10, test=10).load().pool
    examples = tuple(TrainingExample(id=p.id, question=p.question, solution=p.solution, source="replay") for p in pool)
    home = tmp_path / "dataset"
    write_dataset(home, [dataclasses.replace(two_rounds()[0], training=examples)], {}, origin())
    whole = datasets.load_dataset(str(home))
    assert list(whole) == ["train"]
    assert len(whole["train"]) == 10
    monkeypatch.chdir(home)
    found: dict = {}
    exec(code_of(home / "README.md"), found)
    with TINY.open(TINY.base()) as opened:
        args = trl.SFTConfig(
            output_dir=str(tmp_path / "out"), max_steps=1, per_device_train_batch_size=4, learning_rate=1e-3,
            bf16=False, use_cpu=True, report_to="none", save_strategy="no", disable_tqdm=True,
        )  # fmt: skip
        before = [w.detach().clone() for w in opened.model.parameters()]
        trainer = trl.SFTTrainer(
            opened.model, args=args, train_dataset=found["data"], processing_class=opened.tokenizer
        )
        encoded = opened.encode([(x.question, x.solution) for x in examples])
        assert [list(r) for r in trainer.train_dataset["input_ids"]] == [[*e.prompt, *e.completion] for e in encoded]
        masked = [[-100] * len(e.prompt) + list(e.completion) for e in encoded]
        assert [list(r) for r in trainer.train_dataset["labels"]] == masked
        done = trainer.train()
        assert done.global_step == 1
        assert any((a != b).any() for a, b in zip(before, opened.model.parameters(), strict=True))


def test_rows_and_card_have_system_prompt_and_template_arguments(tmp_path):
    """Other trainers asked without them."""
    target = TargetModel(
        name="m",
        source="org/m",
        template="chat",
        system_prompt="Answer in French.",
        chat_template_kwargs={"enable_thinking": False},
    )
    write_dataset(tmp_path, two_rounds(), {}, origin(target=target))
    row = json.loads((tmp_path / "train.jsonl").read_text("utf-8").splitlines()[0])
    assert [m["role"] for m in row["messages"]] == ["system", "user", "assistant"]
    assert row["messages"][0]["content"] == "Answer in French."
    found: dict = {}
    exec(re.search(r"def pair.*?\n\n", code_of(tmp_path / "README.md"), re.DOTALL)[0], found)
    made = found["pair"](row)
    assert [m["role"] for m in made["prompt"]] == ["system", "user"]
    assert [m["role"] for m in made["completion"]] == ["assistant"]
    assert made["chat_template_kwargs"] == {"enable_thinking": False}
    assert "The run called it with" in (tmp_path / "README.md").read_text("utf-8")
