"""A user's own files: possible rows, and what is refused with file, line, rule and remedy."""

from __future__ import annotations

import gzip
import json
import math
import random

import pydantic
import pytest

from sei.data import competition, exams, school
from sei.data.own import Line, own_rows, rows_of_lines
from sei.data.study import Columns, JsonLines
from sei.errors import ConfigError, DataError
from sei.rows import read_jsonl

NAMES = {k: k for k in ("question", "answer", "solution", "options", "id", "group")}
REFUSAL = r"own\.jsonl line \d+: .*Rule: .*Remedy: "


@pytest.fixture
def read(tmp_path):
    def read(*rows, answers="auto", **columns):
        path = tmp_path / "own.jsonl"
        path.write_text("".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in rows), encoding="utf-8")
        return own_rows(path, "x", NAMES | columns, answers)

    return read


def choice(answer, options, **more):
    return {"question": f"Which of {options}?", "answer": answer, "options": options, **more}


# --- missing answers


@pytest.mark.parametrize(
    "answer",
    ["NaN", "Infinity", "-Infinity", "null", '""', '"nan"', '"NaN"', '"None"', '"null"', '"<NA>"', '"inf"', "true",
     '"#### nan"', "[]", "{}", "[1, 2]", "1e99999999999999999999", '"####"', '"so\\n#### "', r'"so $\\boxed{}$"'],
)  # fmt: skip
def test_a_missing_answer_is_refused_with_line_and_remedy(read, answer):
    with pytest.raises(DataError, match=REFUSAL.replace(r"\d+", "2")):
        read({"question": "1 + 1?", "answer": 2}, f'{{"question": "2 + 2?", "answer": {answer}}}')


@pytest.mark.parametrize(
    "field", ['"question": NaN', '"question": "nan"', '"question": null', '"question": ["1 + 1?"]',
              '"options": [NaN, "2"]', '"options": ["nan", "2"]', '"options": [null, "2"]',
              '"solution": "nan"', '"solution": {"a": 1}'],
)  # fmt: skip
def test_a_missing_question_or_option_is_refused(read, field):
    row = '{"question": "1 + 1?", "answer": "2"}'
    with pytest.raises(DataError, match=REFUSAL):
        read(row[:-1] + f", {field}}}")


def test_nan_in_an_optional_column_means_that_it_is_lacking(read):
    row = {
        "question": "1 + 1?",
        "answer": 2,
        "solution": math.nan,
        "options": math.nan,
        "id": math.nan,
        "group": math.nan,
    }
    (found,) = read(row)
    assert found == read({"question": "1 + 1?", "answer": 2})[0]
    assert found.id == "x-1"


@pytest.mark.parametrize(
    ("written", "text"),
    [("0.1", "0.1"), ("1e-07", "1e-07"), ("12.0", "12"), ("1e20", "100000000000000000000"), ("-0.50", "-0.5"),
     ("3.14159265358979323846", "3.14159265358979323846"), ("1e400", r"1 \times 10^{400}"), ("72", "72"),
     ("9007199254740993.0", "9007199254740993"), ("12345678901234567890123", "12345678901234567890123")],
)  # fmt: skip
def test_a_number_keeps_the_digits_of_its_file(read, written, text):
    (row,) = read(f'{{"question": "How many?", "answer": {written}}}')
    assert row.answer == text


# --- whole solutions as answers


def test_the_answer_of_a_solution_is_what_it_ends_in(read):
    steps = "She sells 16 - 4 = <<16-4=12>>12 eggs for 100 each.\n#### 1,200"
    rows = read(
        {"question": "a?", "answer": steps},
        {"question": "b?", "answer": "#### 12"},
        {"question": "c?", "answer": "Half of it.\nSo $x = \\boxed{1}$, and $y = \\boxed{\\frac{3}{2}}$."},
        {"question": "d?", "answer": "$\\boxed{\\frac{1}{2}}$"},
        {"question": "e?", "answer": "#### 7", "solution": "3 + 4 = 7\n#### 7"},
        {"question": "f?", "answer": ["5"]},
        {"question": "g?", "answer": "#### 3, 4"},
    )
    assert [(r.answer, r.solution) for r in rows] == [
        ("1200", steps),
        ("12", ""),
        ("\\frac{3}{2}", "Half of it.\nSo $x = \\boxed{1}$, and $y = \\boxed{\\frac{3}{2}}$."),
        ("\\frac{1}{2}", ""),
        ("7", "3 + 4 = 7\n#### 7"),
        ("5", ""),
        ("3, 4", ""),
    ]
    with pytest.raises(DataError, match=REFUSAL):
        read({"question": "a?", "answer": "#### Solution\nTwo and two.\nFour."})


@pytest.mark.parametrize(
    ("written", "answer", "worked"),
    [
        ("<think>\nhm \\boxed{3}\n</think>\nThe answer is 4.", "4", False),
        ("<think>\nhm \\boxed{3}\n</think>\nSo \\boxed{4}", "4", True),
        ("<think>maybe #### 7 ?</think>The total is 12.\n#### 12", "12", True),
        ("maybe #### 7 ?</think>\\boxed{12}", "12", True),
        ("bla\n#### 12<|endoftext|>", "12", True),
        ("bla #### 12</s>", "12", True),
        ("<s> 12 </s>", "12", False),
        ("12<|im_end|>\n", "12", False),
        ("<answer>4</answer>", "4", False),
        ("So it is four.\n<answer> $4$ </answer>", "$4$", True),
        ("<think>x</think><answer>\\boxed{4}</answer><|im_end|>", "4", True),
        ("<answer>3</answer> No: \\boxed{4}", "4", True),
        ("The answer is 4.", "4", False),
        ("The final answer is: $\\frac{1}{2}$.", "$\\frac{1}{2}$", False),
        ("Answer: 5", "5", False),
        ("answer is 3.5", "3.5", False),
        ("The answer is 12 apples.", "12 apples", False),
        ("The answer is not unique.", "The answer is not unique.", False),
        ("The answer is 4. But why?", "The answer is 4. But why?", False),
    ],
)
def test_thoughts_and_marks_are_no_part_of_a_gold_answer(read, written, answer, worked):
    """The gold answer was 3, from a box in a thought."""
    rows = [{"question": f"{i} + 1?", "answer": i} for i in range(3)]
    row = read({"question": "a?", "answer": written}, *rows)[0]
    assert (row.answer, bool(row.solution)) == (answer, worked)


@pytest.mark.parametrize(
    "written",
    ["<think>hm \\boxed{3}", "<think>3</think>", "12<|im_end|>\n<|im_start|>user\nMore?", "<answer> </answer>",
     "4<|endoftext|>Question: 5?"],
)  # fmt: skip
def test_a_thought_alone_and_further_turns_are_refused(read, written):
    with pytest.raises(DataError, match=REFUSAL):
        read({"question": "a?", "answer": written})


def test_a_thought_does_not_say_the_answer_of_a_solution(read):
    thought = "<think>\\boxed{3}?</think> "
    assert read({"question": "a?", "solution": thought + "So \\boxed{4}."})[0].answer == "4"
    with pytest.raises(DataError, match="ends without an answer"):
        read({"question": "a?", "solution": thought + "So it is four."})


WORKED = "4 * 7 = 28 dollars\nTherefore, the answer is 28."
SAID = "The force is only about 296 pounds so the couch does not budge. It would move to the south."


def test_worked_solutions_that_mark_no_answer_are_refused(read):
    """Taken whole they made every right output wrong, in silence: Orca-Math has such answers."""
    with pytest.raises(DataError, match=r"line 1: answer='.*the answer is 28\.' is the end of a worked sol.*Remedy"):
        read(
            {"question": "a?", "answer": WORKED}, {"question": "b?", "answer": WORKED}, {"question": "c?", "answer": 1}
        )
    few = read(
        {"question": "a?", "answer": SAID}, {"question": "b?", "answer": "12"}, {"question": "c?", "answer": "x"}
    )
    assert few[0].answer == SAID  # some answers of CollegeMath are sentences


def test_without_an_answer_column_the_solution_says_it(read):
    rows = read(
        {"problem": "2 + 2?", "solution": "It is $\\boxed{4}$."}, {"problem": "2 + 3?", "solution": "2+3=5\n#### 5"}
    )
    assert [r.answer for r in rows] == ["4", "5"]
    with pytest.raises(DataError, match=r"line 2: solution='Five\.' ends without an answer.*data\.columns\.answer"):
        read({"problem": "2 + 2?", "solution": "It is $\\boxed{4}$."}, {"problem": "2 + 3?", "solution": "Five."})


# --- options

PRIMES = ("(A) 51", "(B) 57", "(C) 59")


@pytest.mark.parametrize(
    "options",
    [
        {"A": "51", "B": "57", "C": "59"},
        {"a": 51, "b": 57, "c": 59, "d": None},
        {"text": ["51", "57", "59"], "label": ["A", "B", "C"]},
        {"label": ["1", "2", "3"], "text": ["51", "57", "59"]},
        [[{"aoVal": "A", "content": "51 "}], [{"aoVal": "B", "content": "57"}], [{"aoVal": "C", "content": "59"}]],
        [{"aoVal": "A", "content": "51"}, {"aoVal": "B", "content": "57"}, {"aoVal": "C", "content": "59"}],
        [{"label": "A", "text": "51"}, {"label": "B", "text": "57"}, {"label": "C", "text": "59"}],
        [{"key": "a", "value": "51"}, {"key": "b", "value": "57"}, {"key": "c", "value": "59"}],
        [{"A": "51"}, {"B": "57"}, {"C": "59"}],
        ["a ) 51", "b ) 57", "c ) 59"],
        ["a. 51", "b. 57", "c. 59"],
        ["(1) 51", "(2) 57", "(3) 59"],
        "a ) 51 , b ) 57 , c ) 59",
        "(A) 51 (B) 57 (C) 59",
        "A. 51\nB. 57\nC. 59",
        "A．51，B．57，C．59",
        ["（A）51", "（B）57", "（C）59"],
        ["A、51", "B、57", "C、59"],
        "['a ) 51', 'b ) 57', 'c ) 59']",
        '{"A": "51", "B": "57", "C": "59"}',
        '[{"aoVal": "A", "content": "51"}, {"aoVal": "B", "content": "57"}, {"aoVal": "C", "content": "59"}]',
    ],
    ids=str,
)
def test_every_layout_of_options_gives_the_same_problem(read, options):
    digits = "(1)" in str(options) or "'1'" in str(options)
    answers = ["3", "59"] if digits else ["C", "c", "(c)", "（C）", "Option C", "59", "C) 59", "$59$", 59]
    for answer in answers:
        (row,) = read(choice(answer, options))
        assert (row.options, row.answer) == (PRIMES, "C"), answer


def test_options_in_one_string_may_hold_commas_and_brackets(read):
    (row,) = read(choice("b", "a ) 1,200 , b ) f ( a , b ) , c ) data inadequate , d ) none of these"))
    assert row.options == ("(A) 1,200", "(B) f ( a , b )", "(C) data inadequate", "(D) none of these")
    with pytest.raises(DataError, match=REFUSAL):
        read(choice("b", "51, 57, 59, 63"))
    with pytest.raises(DataError, match=REFUSAL):
        read(choice("b", "a ) x b ) y b ) z c ) w"))


@pytest.mark.parametrize(
    "options",
    [["51"], [str(i) for i in range(11)], 7, [["51", "57"], ["59"]], [{"x": 1, "y": 2}, {"x": 3, "y": 4}],
     {"text": ["51", "57"], "label": ["A"]}, {"text": ["51", "57"], "label": ["A", "A"]}, {"mc": [1], "labels": 3}],
    ids=str,
)  # fmt: skip
def test_other_layouts_are_refused(read, options):
    with pytest.raises(DataError, match=REFUSAL):
        read(choice("A", options))


@pytest.mark.parametrize("answer", ["E", "61", 4, "none", "a prime", "-1"])
def test_an_answer_that_names_no_option_is_refused(read, answer):
    with pytest.raises(DataError, match=r"names none of the 3 options: \(A\) 51; .*data\.answers|is not an answer"):
        read(choice(0, ["1", "2", "3"]), choice(answer, ["51", "57", "59"]))


def test_none_may_be_an_option_and_equal_values_name_it(read):
    rows = read(
        choice("a choice", ["no option", "a choice"]),
        choice("None", ["one", "two", "None"]),
        choice("1/2", ["$\\frac{1}{3}$", "$\\frac{1}{2}$"]),
        choice("2,000", ["1000", "2000"]),
        choice("A, C", ["x", "y", "z"]),
        choice("12", ["10 cm", "12 cm"]),
    )
    assert [r.answer for r in rows] == ["B", "C", "B", "B", "A, C", "B"]


def test_what_could_be_read_already_stays_to_the_byte(read):
    rows = [
        (choice("B", ["51", " 57", "59"]), ("51", " 57", "59"), "B"),
        (choice("(B)", ["(A)51", "(B) 57"]), ("(A)51", "(B) 57"), "(B)"),
        (choice("C", ["A)51", "B)57", "C)59"]), ("A)51", "B)57", "C)59"), "C"),
        (choice("59", ["A. 51", "C. 59", "D. 63"]), ("A. 51", "C. 59", "D. 63"), "C"),
        ({"question": " 2? ", "answer": "$\\frac{1}{2}$ ", "id": 1.0, "group": 3}, (), "$\\frac{1}{2}$"),
    ]
    found = read(*(row for row, _, _ in rows))
    assert [(r.options, r.answer) for r in found] == [(options, answer) for _, options, answer in rows]
    assert found[4] == ("x-1.0", "2?", "$\\frac{1}{2}$", "", (), "3", "")


def test_texts_that_only_look_labelled_get_letters_of_their_own(read):
    (row,) = read(choice("C", ["reluctance", "resistance", "(A) and (B)", "none"]))
    assert row.options == ("(A) reluctance", "(B) resistance", "(C) (A) and (B)", "(D) none")


# --- index, value or letter: the file decides, or the row is refused


def test_indices_count_from_zero_where_a_zero_shows_it(read):
    rows = [choice(0, ["20", "21", "27"]), choice(2, ["51", "57", "59"]), choice("1", ["1", "2", "3"])]
    assert [r.answer for r in read(*rows)] == ["A", "C", "B"]
    assert read(*rows)[1].options == PRIMES
    with pytest.raises(
        DataError, match=r"answer='2' is not the text of an option.*no row has the answer 0.*data\.answers=index"
    ):
        read(rows[1])
    assert read(rows[1], answers="index")[0].answer == "C"
    assert read(rows[1], answers="index_from_1")[0].answer == "B"
    assert read(choice(1, ["57", "59"]), choice(2, ["51", "59"]), answers="index_from_1")[1].answer == "B"


def test_other_ways_to_name_options_are_no_indices(read):
    """A file that counts from one, or names options in another way, has no indices from 0."""
    zero = choice(0, ["20", "21", "27"])
    with pytest.raises(DataError, match="line 2: answer='3' names none of the 3 options"):
        read(zero, choice(3, ["51", "57", "59"]))
    for other in (choice("B", ["51", "57"]), choice("57", ["51", "57"])):
        with pytest.raises(DataError, match=r"line 1: .*line 2 names an option by its (label|text)"):
            read(zero, other)
    with pytest.raises(DataError, match=REFUSAL):  # with labels, the number is not an index
        read(zero, choice(1, {"A": "51", "B": "57"}))


def test_a_number_that_is_an_index_and_a_value_is_refused(read):
    """A number that is an index and a value is refused unless the other rows decide."""
    both = choice("2", ["1", "2", "3", "4"])
    with pytest.raises(DataError, match=r"may name different options: C by index, B by value.*data\.answers"):
        read(both)
    assert read(both, choice(0, ["7", "8"]))[0].answer == "C"
    assert read(both, choice(8, ["7", "8"]))[0].answer == "B"
    with pytest.raises(DataError, match="line 1"):
        read(both, choice(0, ["7", "8"]), choice(8, ["7", "8"]))
    assert read(both, answers="value")[0].answer == "B"
    assert read(choice("1", ["0", "1", "2"]))[0].answer == "B"  # both readings name it
    with pytest.raises(DataError, match="C by index, B by value"):
        read(choice("2", ["1 cm", "2 cm", "3 cm"]))


def test_a_letter_that_is_also_a_text_is_read_as_other_rows_are(read):
    blood = choice("A", ["O", "A", "B"])
    with pytest.raises(DataError, match="A by label, B by value"):
        read(blood)
    assert read(blood, choice("B", ["51", "57"]))[0].answer == "A"
    assert read(blood, choice("57", ["51", "57"]))[0].answer == "B"
    arc = choice("1", {"text": ["3", "1"], "label": ["1", "2"]})
    with pytest.raises(DataError, match="A by label, B by value"):
        read(arc)
    assert read(arc, choice("B", {"text": ["3", "1"], "label": ["A", "B"]}))[0].answer == "A"


def laid_out(rng, texts):
    """Return texts in some layout of options, and whether its labels are numbers."""
    letters = rng.choice(["ABCDE", "abcde"])[: len(texts)]
    left, right = rng.choice([("", ")"), ("", " )"), ("(", ")"), ("", "."), ("", ":")])
    marked = [f"{left}{a}{right} {t}" for a, t in zip(letters, texts, strict=True)]
    layouts = [
        (texts, False),
        (marked, False),
        (" , ".join(marked), False),
        ("\n".join(marked), False),
        (str(marked), False),
        (json.dumps(marked), False),
        (dict(zip(letters, texts, strict=True)), False),
        ({"text": texts, "label": list(letters)}, False),
        ({"text": texts, "label": [str(i + 1) for i in range(len(texts))]}, True),
        ([[{"aoVal": a, "content": t}] for a, t in zip(letters, texts, strict=True)], False),
        ([{"label": a, "text": t} for a, t in zip(letters, texts, strict=True)], False),
    ]
    return rng.choice(layouts)


@pytest.mark.parametrize("way", ["label", "index", "value"])
def test_made_up_files_are_read_as_they_were_made_or_refused(read, way):
    rng = random.Random(way)
    right = refused = 0
    for _ in range(300):
        rows, golds = [], []
        for _ in range(rng.choice([1, 2, 5])):
            n = rng.randint(2, 5)
            numbers = rng.sample(range(rng.choice([6, 100, 5000])), n)
            texts = [rng.choice(["{}", "${}$", "{} cm", "{:,}"]).format(x) for x in numbers]
            if rng.random() < 0.3:
                texts = rng.sample(
                    ["none", "a car, red", "f ( a , b )", "A and B", "data inadequate", "$\\frac{1}{2}$"], n
                )
            gold = rng.randrange(n)
            options, numbered = (texts, False) if way == "index" else laid_out(rng, texts)
            label = str(gold + 1) if numbered else "ABCDE"[gold]
            said = [label] if numbered else [label, label.lower(), f"({label})"]
            answer = {"label": rng.choice(said), "index": gold, "value": texts[gold]}[way]
            rows.append(choice(answer, options))
            golds.append("ABCDE"[gold])
        try:
            found = read(*rows)
        except DataError as e:
            refused += "Rule: " in str(e) and "Remedy: " in str(e)
            continue
        right += 1
        assert [r.answer.strip("()") for r in found] == golds, rows
    assert right + refused == 300
    assert right > (100 if way == "index" else 200)


# --- columns


@pytest.mark.parametrize(
    "row",
    [
        {"problem": "Prime?", "answer_value": "B",
         "answer_option_list": [[{"aoVal": "A", "content": "51"}], [{"aoVal": "B", "content": "53"}]]},
        {"Problem": "Prime?", "options": "a ) 51 , b ) 53", "correct": "b", "Rationale": "x"},
        {"question": "Prime?", "choices": {"text": ["51", "53"], "label": ["A", "B"]}, "answerKey": "B"},
        {"question": "Prime?", "options": ["(A) 51", "(B) 53"], "label": "B", "answer": None},
        {"query": "Prime?", "endings": ["51", "53"], "label": "53"},
        {"question": "Prime?", "A": "51", "B": "53", "answer": "B"},
    ],
)  # fmt: skip
def test_columns_of_known_data_sets_are_found_and_said(read, row, caplog):
    with caplog.at_level("INFO"):
        (found,) = read(row)
    assert (found.question, found.answer, found.options) == ("Prime?", "B", ("(A) 51", "(B) 53"))
    if not {"question", "answer"} <= {k for k, v in row.items() if v}:
        assert "data.columns." in caplog.text


def test_columns_that_may_be_meant_are_not_guessed(read):
    with pytest.raises(DataError, match=r"may be in \['correct', 'target'\].*data\.columns\.answer=correct or data"):
        read({"question": "q", "correct": "1", "target": "2"})
    with pytest.raises(
        DataError, match=r"lacks \['question'\]; its columns are \['answer', 'body'\].*columns\.question="
    ):
        read({"body": "q", "answer": "1"})
    with pytest.raises(DataError, match=r"lacks \['gold'\]"):
        read({"question": "q", "answer": "1"}, answer="gold")
    with pytest.raises(DataError, match=r"line 2: options=None is missing.*data\.columns\.options=choices"):
        read(choice("A", ["1", "2"]), {"question": "q", "answer": "A", "options": None, "choices": ["1", "2"]})
    with pytest.raises(DataError, match=r"line 2: lacks \['answer'\]"):
        read({"question": "q", "answer": "1"}, {"question": "q"})
    with pytest.raises(DataError, match="has no rows"):
        read("")


# --- encodings


def write_bytes(path, data):
    with (gzip.open if path.suffix == ".gz" else open)(path, "wb") as f:
        f.write(data)
    return path


@pytest.mark.parametrize("name", ["own.jsonl", "own.jsonl.gz"])
def test_a_byte_order_mark_is_skipped_other_encodings_are_named(tmp_path, name):
    line = '{"question": "Wie groß?", "answer": "2"}\n'
    path = write_bytes(tmp_path / name, (line.encode("utf-8-sig") + line.encode()) * 2)  # two files joined
    rows = own_rows(path, "x", NAMES, "auto")
    assert [(r.question, r.answer) for r in rows] == [("Wie groß?", "2")] * 4
    for encoding, said in (
        ("utf-16", "UTF-16"),
        ("utf-16-le", "UTF-16"),
        ("utf-32", "UTF-32"),
        ("latin-1", "not UTF-8"),
    ):
        with pytest.raises(DataError, match=rf"own\.jsonl.*{said}.*Rule: text files are UTF-8\. Remedy: "):
            own_rows(write_bytes(tmp_path / name, line.encode(encoding)), "x", NAMES, "auto")


# --- the real files


@pytest.mark.parametrize(
    ("file", "source", "split"),
    [
        ("aqua_rat/test", exams.Aqua, "test"),
        ("mmlu_stem/test", exams.MmluStem, "test"),
        ("tal_scq5k/en/test", exams.TalScq, "test"),
        ("agieval/sat-math/test", exams.SatMath, "test"),
        ("college_math/test", exams.CollegeMath, "test"),
        ("gsm8k/main/test", school.Gsm8k, "test"),
        ("gsm8k/main/train", school.Gsm8k, "train"),
        ("gsm_hard/train", school.GsmHard, "test"),
        ("math/test", competition.Math, "test"),
        ("math500/test", competition.Math500, "test"),
        ("minerva_math/test", competition.MinervaMath, "test"),
        ("amc23/test", competition.Amc23, "test"),
        ("aime24/test", competition.Aime24, "test"),
        ("mawps/addsub", school.MawpsParts, "addsub"),
        ("mawps/singleeq", school.MawpsParts, "singleeq"),
    ],
)
def test_real_files_give_the_gold_answers_of_their_own_readers(shared_data, file, source, split):
    reader = source(folder=str(shared_data))
    known = reader.train() if split == "train" else reader.test()
    known = known if split in ("train", "test") else [r for r in known if r.group == split]
    more = {"context": "passage"} if "sat-math" in file else {}
    path = shared_data / f"{file}.jsonl.gz"
    left_out = {"college_math/test": 34, "tal_scq5k/en/test": 22}.get(file, 0)  # two answers each
    assert len(own_rows(path, "x", NAMES | more, "auto")) == len(known) - left_out
    lines = [Line(n, row) for n, row in read_jsonl(path, (), written=True)]
    found = rows_of_lines(path, lines, "x", NAMES | more, "auto")
    assert [(r.question, r.answer, r.options) for r in found] == [(r.question, r.answer, r.options) for r in known]


def test_the_cases_from_the_real_world_are_read_or_refused(shared_cases):
    cases = shared_cases

    def load(train, test="test"):
        return JsonLines(train=str(cases / f"{train}.jsonl"), test=str(cases / f"{test}.jsonl"), dev=30).load()

    assert len({p.id for p in load("bom").pool}) == 110
    for name in ("mmlu", "optlistdict"):
        found = load(name).pool
        assert {p.answer for p in found} == {"A"}
        assert all(o.startswith(f"({a}) ") for p in found for a, o in zip("ABC", p.options, strict=False))
    with pytest.raises(DataError, match=r"nan\.jsonl line 1: answer=nan is not text.*Rule.*Remedy"):
        load("nan")
    twice = load("dup", "dup_test")
    assert len({p.id for p in (*twice.pool, *twice.held_out)}) == len(twice.pool) + len(twice.held_out) == 180


def test_names_of_tests_do_not_hide_others(tmp_path):
    with pytest.raises(ConfigError, match=r"data\.tests: the name 'train' is taken"):
        JsonLines(train="a", test="b", tests={"train": "c"}, columns=Columns()).load()


def test_the_command_refuses_a_missing_answer_early(sei, tmp_path):
    row = '{{"question": "What is {0} plus {0}?", "answer": {1}}}\n'
    (tmp_path / "a.jsonl").write_text("".join(row.format(i, "NaN" if i == 20 else 2 * i) for i in range(30)))
    (tmp_path / "b.jsonl").write_text(row.format(40, 80))
    done = sei(
        "data=jsonl",
        "experiment=smoke",
        "data.train=a.jsonl",
        "data.test=b.jsonl",
        "data.dev=5",
        "engine.max_new_tokens=64",
    )
    assert done.returncode == 2, done.stderr
    assert "a.jsonl line 21: answer=nan is not text" in done.stderr
    assert "Rule: " in done.stderr
    assert "Remedy: " in done.stderr
    assert not list((tmp_path / "store").glob("*/*"))


def test_a_row_that_names_a_column_twice_is_refused(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"question": "What?", "answer": "1", "answer": "2"}\n')
    with pytest.raises(DataError, match=r"a\.jsonl line 1: 'answer' appears twice\. Rule: .*Remedy: "):
        JsonLines(train=str(tmp_path / "a.jsonl"), test=str(tmp_path / "a.jsonl")).load()


# --- whole problems: first parts and options in other columns


@pytest.mark.parametrize(
    ("first", "question"),
    [
        ("Tom has 3 pens and buys 4.", "Tom has 3 pens and buys 4. How many now?"),
        ("If Tom buys 4 pens", "If Tom buys 4 pens, How many now?"),
        ("| a | b |\n| 1 | 2 |", "| a | b |\n| 1 | 2 |\n\nHow many now?"),
        (None, "How many now?"),
    ],
)
@pytest.mark.parametrize(
    "name",
    [
        "context",
        "Body",
        "passage",
        "instruction",
        "input",
        "premise",
        "article",
        "pre_text",
        "stem",
        "support",
        "table",
    ],
)
def test_the_first_part_of_a_problem_is_joined_or_refused(read, name, first, question):
    """Half a problem was asked (SVAMP, ASDiv, SAT-Math, Alpaca)."""
    row = {"question": "How many now?", name: first, "answer": "7"}
    (found,) = read(row, context=name)
    assert found.question == question
    if first:
        with pytest.raises(
            DataError, match=rf"{name!r} may be its first part.*Remedy: data.columns.context={name} puts"
        ):
            read(row)
    assert read(row, context="")[0].question == "How many now?"


def test_alpaca_is_refused_in_both_directions(read):
    """``Solve for x.`` was asked without the equation."""
    rows = [{"instruction": "Solve for x.", "input": "2x + 3 = 7", "output": "2"},
            {"instruction": "What is 2 + 2?", "input": "", "output": "4"}]  # fmt: skip
    with pytest.raises(DataError, match=r"'input' may be its first part, such as '2x \+ 3.*columns\.context=input"):
        read(*rows, question="instruction", answer="output")
    with pytest.raises(DataError, match=r"'instruction' may be its first part.*columns\.context=instruction"):
        read(*rows, question="input", answer="output")
    whole = read(*rows, question="instruction", answer="output", context="input")
    assert [r.question for r in whole] == ["2x + 3 = 7, Solve for x.", "What is 2 + 2?"]


def test_a_list_of_texts_may_be_a_first_part(read):
    row = {"question": "How many?", "context": ["Tom has 3 pens.", "He buys 1."], "answer": "4"}
    with pytest.raises(DataError, match=r"'context' may be its first part, such as 'Tom has 3.*context=context"):
        read(row)
    assert read(row, context="context")[0].question == "Tom has 3 pens.\nHe buys 1.\n\nHow many?"


@pytest.mark.parametrize(
    "value", [{"title": ["a"], "sentences": [["Tom has 3 pens."]]}, [["pens", "Tom has"], ["3", "4"]]], ids=str
)
def test_a_nested_first_part_is_refused_with_another_remedy(read, value):
    row = {"question": "How many?", "context": value, "answer": "4"}
    with pytest.raises(DataError, match=r"'context' may be its first part, such as 'Tom has.*a column of its own"):
        read(row)
    assert len(read(row, context="")) == 1


@pytest.mark.parametrize("name", ["description", "support", "table"])
def test_notes_in_a_few_rows_are_no_first_parts(read, name):
    rows = [{"question": f"What is {i} + 1?", "answer": str(i + 1)} for i in range(5)]
    assert len(read({**rows[0], name: "A note on this row."}, *rows[1:])) == 5
    with pytest.raises(DataError, match=f"'{name}' may be its first part"):
        read(*[{**r, name: f"Ada has {r['answer']} pens."} for r in rows])


@pytest.mark.parametrize(
    ("name", "value"),
    [("image", "images/1.png"), ("decoded_image", {"bytes": "abc", "path": None}), ("images", ["a.png"]),
     ("Picture", "a.png"), ("image_1", "a.png"), ("question_images", [{"path": "x"}])],
)  # fmt: skip
@pytest.mark.parametrize("context", [None, "body"])
def test_pictures_are_refused(read, name, value, context):
    rows = [{"question": f"What is {i} + 1?", "answer": str(i + 1), "body": "", name: None} for i in range(3)]
    rows.append({"question": "Find x in the figure.", "answer": "4", "body": "", name: value})
    with pytest.raises(DataError, match=rf"line 4: 1 of 4 rows have a picture in '{name}'.*Remedy: leave these rows"):
        read(*rows, context=context)
    assert len(read(*rows, context="")) == 4


@pytest.mark.parametrize("value", [None, "", [], {"bytes": None, "path": None}, False, 0, [""]], ids=str)
def test_empty_pictures_are_no_pictures(read, value):
    assert len(read({"question": "1 + 1?", "answer": "2", "image": value})) == 1


def test_a_column_for_first_parts_must_be_there(read):
    with pytest.raises(DataError, match="no row has the column 'Bdoy'"):
        read({"question": "How many?", "Body": "Tom has 3.", "answer": "7"}, context="Bdoy")


@pytest.mark.parametrize(("file", "context"), [("svamp/test", "Body"), ("asdiv/validation", "body")])
def test_real_files_with_first_parts_are_refused_or_whole(shared_data, file, context):
    path = shared_data / f"{file}.jsonl.gz"
    names = NAMES | ({"question": "Question", "answer": "Answer"} if context == "Body" else {})
    with pytest.raises(DataError, match=f"data.columns.context={context} puts"):
        own_rows(path, "x", names, "auto")
    found = own_rows(path, "x", names | {"context": context}, "auto")
    assert all(r.question.count(" ") > 5 for r in found)


def test_the_passages_of_sat_math_stand_before_their_questions(shared_data):
    """Its own reader asked at least 14 of the 220 questions without the text or table that they are about."""
    found = exams.SatMath(folder=str(shared_data)).test()
    sound = next(r for r in found if "closest to 1,000 feet per second" in r.question)
    assert "a=1,052+1.08 t" in sound.question


@pytest.mark.parametrize(
    ("row", "answer", "options"),
    [
        ({"option_a": "0", "option_b": "4", "option_c": "2", "answer": "B"}, "B", ("(A) 0", "(B) 4", "(C) 2")),
        ({"A": None, "B": "5", "C": "6", "D": "8", "answer": "C"}, "C", ("(B) 5", "(C) 6", "(D) 8")),
        ({"option1": "4", "option2": "5", "option3": "", "answer": "5"}, "B", ("(A) 4", "(B) 5")),
        ({f"option{i}": str(i * 7) for i in range(1, 11)} | {"answer": "70"}, "J", None),
        ({"opa": "x", "opb": "y", "opc": "z", "answer": "b"}, "B", ("(A) x", "(B) y", "(C) z")),
        ({"option1": "12", "option2": "14", "answer": "14"}, "B", ("(A) 12", "(B) 14")),
        ({"choice_0": "12", "choice_1": "14", "answer": "12"}, "A", ("(A) 12", "(B) 14")),
        ({"A": "12", "B": "14", "answer": "A"}, "A", ("(A) 12", "(B) 14")),
        ({"option_a": "12", "option_b": "14", "option_c": None, "answer": "A"}, "A", ("(A) 12", "(B) 14")),
    ],
)
def test_options_in_columns_of_their_own_are_read(read, row, answer, options):
    """They were dropped in silence, and the answer stayed a letter that nobody could know."""
    (found,) = read({"question": "Which?", **row})
    assert found.answer == answer
    assert found.options == (options or tuple(f"({a}) {(i + 1) * 7}" for i, a in enumerate("ABCDEFGHIJ")))


@pytest.mark.parametrize(
    "more", [{"a": 1, "b": -3, "c": 2}, {"answer_1": "2", "answer_2": "8"}, {"op1": 3, "op2": 5}], ids=str
)
def test_other_columns_are_no_options(read, more):
    (found,) = read({"question": "Solve x^2 - 3x + 2 = 0 for the larger x.", "answer": "2", **more})
    assert (found.answer, found.options) == ("2", ())


def test_a_gap_in_numbered_options_is_refused(read):
    with pytest.raises(DataError, match="have a gap"):
        read({"question": "Which?", "option1": "4", "option2": "", "option3": "6", "answer": "3"})


@pytest.mark.parametrize(
    "shown",
    [r"$\\textbf{(A)}\\ 4\\qquad\\textbf{(B)}\\ 5\\qquad\\textbf{(C)}\\ 6$", "(A)4 (B)5 (C)6", "A.4\nB.5\nC.6",
     "['A)4', 'B)5', 'C)6']"],
)  # fmt: skip
def test_letters_of_options_inside_the_question_are_answers(read, shown):
    rows = [{"question": f"What is {i}+3? {shown}", "answer": "B"} for i in range(3)]
    assert [r.answer for r in read(*rows)] == ["B"] * 3


@pytest.mark.parametrize("value", ["17", "algebra", "Tom has 3 pens."])
def test_labels_and_repeats_are_no_first_parts(read, value):
    (found,) = read({"question": "Tom has 3 pens. How many?", "context": value, "answer": "3"})
    assert found.question == "Tom has 3 pens. How many?"


def test_two_families_of_option_columns_are_refused(read):
    with pytest.raises(DataError, match=r"\['A', 'B', 'option1', 'option2'\] may hold options.*columns.options=NAME"):
        read({"question": "Which?", "A": "1", "B": "2", "option1": "3", "option2": "4", "answer": "A"})


def test_letters_without_options_are_refused(read):
    rows = [{"question": f"Which of {i}?", "answer": "AB"[i % 2]} for i in range(4)]
    with pytest.raises(DataError, match=r"line 1: the answer 'A' may be the letter of an option.*data.answers=value"):
        read(*rows)
    assert [r.answer for r in read(*rows, answers="value")] == ["A", "B", "A", "B"]
    inside = [{**r, "question": f"{r['question']} (A) 1 (B) 2"} for r in rows]
    assert [r.answer for r in read(*inside)] == ["A", "B", "A", "B"]


# --- answers that are none


@pytest.mark.parametrize(
    "answer",
    ["proof", "Proof", "notfound", "not found", "b'-6\\n'", 'b"-6"', "#REF!", "#DIV/0!", "#VALUE!", "#NUM!", "#NAME?",
     "#N/A N/A", "1.#QNAN", "pd.NA", "np.nan", "NA", "NULL", "TODO", "tbd", "-", "--", "—", "?", "...", "[]",
     "[nan]", "[None]", "(None,)", "#### -", "so $\\boxed{?}$", "np.int64(4)", "numpy.float64(4.5)", "tensor(4)",
     "tensor([4.], device='cuda:0')", "array([4])", "array([4, 5],\n      dtype=int64)", "Decimal('4.5')",
     "Fraction(1, 2)", "[4.]", "[4. 5.]", "['4']", '["4"]', "['5', '6']", "['5' '6']", "('4',)", '{"number": "4"}',
     "{'value': 4}", "<tf.Tensor: shape=(), dtype=int32, numpy=4>", "datetime.date(2024, 1, 2)"],
)  # fmt: skip
def test_words_and_bytes_instead_of_answers_are_refused(read, answer):
    """NuminaMath-1.5 writes "proof" and "notfound"; deepmind/math_dataset holds bytes as Python prints them."""
    with pytest.raises(DataError, match=REFUSAL):
        read({"question": "1 + 1?", "answer": answer})


@pytest.mark.parametrize(
    "answer",
    ["undefined", "unknown", "no solution", "No", "[4, 5]", "[4]", "[-2, 3)", "{4}", "{}", "{5,7,9}",
     "np.arcsin(10/13)", "f(4)", "-4", "Na", "x - ?", "sin(4)", "Counter",
     r"\{x : x > 0\}", "[1 2 3]", "infinity", "3!", "# 4", "b'c'"],
)  # fmt: skip
def test_answers_like_printed_values_are_kept(read, answer):
    assert read({"question": "1 + 1?", "answer": answer})[0].answer == answer


def test_a_word_for_no_answer_may_be_an_option(read):
    for word in ("proof", "-", "?", "array([4])", "TODO"):
        assert read({"question": "Which?", "options": [word, "claim"], "answer": word})[0].answer == "A"


def test_bytes_as_a_question_are_refused(read):
    with pytest.raises(DataError, match=r"question=b'Solve 24 = c.*decoded texts"):
        read({"question": "b'Solve 24 = c for c.\\n'", "answer": "24"})


@pytest.mark.parametrize("answer", ["12,5", "0,125", "-3,75", "1.234,5", "2,5 %"])
def test_decimal_commas_of_a_spreadsheet_are_refused(tmp_path, answer):
    """``12.5`` was wrong beside the answer ``12,5``."""
    path = tmp_path / "de.csv"
    path.write_text(f"id;question;answer\n1;Was kosten 5 Stifte?;7\n2;Was kosten 3?;{answer}\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"de.csv line 3: the answer '.*' has a decimal comma.*decimal points"):
        own_rows(path, "x", NAMES, "auto")


@pytest.mark.parametrize("answer", ["12.5", "1,234", "1, 2", "7"])
def test_other_answers_of_a_semicolon_file_are_read(tmp_path, answer):
    path = tmp_path / "a.csv"
    path.write_text(f"question;answer\nHow many?;{answer}\n", encoding="utf-8")
    assert own_rows(path, "x", NAMES, "auto")[0].answer == answer


def test_the_answer_column_of_openmathinstruct_is_found(read):
    """It said that the question lacked, which was found in ``problem``."""
    row = {"problem": "1 + 2?", "generated_solution": "s"}
    assert read({**row, "expected_answer": "3"})[0].answer == "3"
    with pytest.raises(DataError, match=r"lacks \['answer'\]"):
        read(row)


# --- refusals that name the true cause


def files(home, train, test):
    for name, rows in (("train", train), ("test", test)):
        (home / f"{name}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    return {"train": str(home / "train.jsonl"), "test": str(home / "test.jsonl")}


def test_one_file_for_both_roles_is_told(tmp_path):
    rows = [{"question": f"What is {i} + {i}?", "answer": str(2 * i)} for i in range(40)]
    with pytest.raises(
        DataError, match=r"0 of 40 can be used \(40 are in a test set, 0 repeat.*not those of the tests"
    ):
        JsonLines(**files(tmp_path, rows, rows), dev=20).load()


def test_equal_stems_with_other_options_are_no_repeats(tmp_path):
    train = [
        {"question": "Which of these is true?", "options": [f"{i} is odd", f"{i} is even"], "answer": "AB"[i % 2 == 0]}
        for i in range(30)
    ]
    data = JsonLines(**files(tmp_path, train, [{"question": "Which?", "options": ["x", "y"], "answer": "A"}]), dev=9)
    assert len(data.load().pool) == 21


# --- one question with two answers

BAG = "A bag holds 2 red and 3 blue balls. How many balls does it hold?"


@pytest.mark.parametrize(
    ("a", "b"),
    [({"answer": "5"}, {"answer": "6"}), ({"answer": "5", "id": "p"}, {"answer": "6", "id": "q"}),
     ({"answer": "$\\frac{1}{2}$"}, {"answer": "2"}), ({"answer": "five"}, {"answer": "six"}),
     ({"answer": "A", "options": ["5", "6"]}, {"answer": "B", "options": ["5", "6"]}),
     ({"answer": "5"}, {"answer": "6", "question": BAG.replace(" ", "  ")})],
)  # fmt: skip
def test_one_question_with_two_answers_is_refused(read, a, b):
    """The pool kept the first in silence, and a test file both."""
    rows = [{"question": f"{i} + 1?", "answer": str(i + 1)} for i in range(3)]
    with pytest.raises(DataError, match=r"lines 1 and 5: the same question 'A bag.*Rule: .*Remedy: correct one"):
        read({"question": BAG, **a}, *rows, {"question": BAG, **b})


@pytest.mark.parametrize(
    ("a", "b"),
    [({"answer": "0.5"}, {"answer": "1/2"}), ({"answer": "1,000"}, {"answer": "1000"}),
     ({"answer": "$\\frac{1}{2}$"}, {"answer": "0.5"}), ({"answer": "Five."}, {"answer": "five"}),
     ({"answer": "A", "options": ["5", "6"]}, {"answer": "(A)", "options": ["5", "6"]}),
     ({"answer": "A", "options": ["5", "6"]}, {"answer": "B", "options": ["6", "5"]})],
)  # fmt: skip
def test_one_question_with_equal_answers_is_read(read, a, b):
    assert len(read({"question": BAG, **a}, {"question": BAG, **b})) == 2


def test_a_few_contradictions_in_a_large_file_are_left_out(read, caplog):
    rows = [{"question": f"{i} + 1?", "answer": str(i + 1)} for i in range(60)]
    found = read(*rows, {"question": BAG, "answer": "5"}, {"question": BAG, "answer": "6"})
    assert len(found) == 60
    assert BAG not in {r.question for r in found}
    assert "2 rows are left out: 1 questions have answers of different value, such as lines 61 and 62" in caplog.text


def test_further_contradictions_are_counted_and_shown(read):
    rows = [{"question": f"{i // 2} + 1?", "answer": str(i)} for i in range(20)]
    with pytest.raises(DataError, match=r"lines 1 and 2: .*in all 10 such rows: 3 and 4; 5 and 6; .* 10, \.\.\.\)"):
        read(*rows)


def test_rows_left_out_with_another_answer_are_told(tmp_path, caplog):
    train = [{"question": f"What is {i} + {i}?", "answer": str(2 * i)} for i in range(30)]
    train += [{"question": "What  is 3 +3 ?", "answer": "7"}, {"question": BAG, "answer": "6"}]
    data = JsonLines(**files(tmp_path, train, [{"question": BAG, "answer": "5"}]), dev=9).load()
    assert len(data.pool) == 21
    said = next(r.getMessage() for r in caplog.records if "another answer" in r.getMessage())
    assert "train: 2 of the training rows that are left out have another answer" in said


def test_a_folder_is_not_called_missing(tmp_path):
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "state.json").write_text("{}")
    with pytest.raises(DataError, match=r"train is a folder \(state.json\).*name a file in it"):
        JsonLines(train=str(tmp_path / "train"), test=str(tmp_path / "train")).load()


@pytest.mark.parametrize("limit", [-1, 0])
def test_a_limit_that_takes_no_row_is_refused(limit, tmp_path):
    """-1 dropped one test row in silence."""
    with pytest.raises(pydantic.ValidationError, match="limit"):
        JsonLines(train="a.jsonl", test="b.jsonl", limit=limit)
    with pytest.raises(pydantic.ValidationError, match="limit"):
        competition.Math500(folder=str(tmp_path), limit=limit)
