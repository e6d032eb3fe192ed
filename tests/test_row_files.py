"""Row files of every kind: cells are read as written, or the file is refused with the place."""

from __future__ import annotations

import bz2
import csv
import gzip
import json
import lzma
import pickle
import re
import sys

import pytest

from sei.data.own import own_rows
from sei.errors import DataError
from sei.models.target import TargetModel
from sei.tables import read_table

NAMES = {k: k for k in ("question", "answer", "solution", "options", "id", "group")}
ROWS = [
    {"id": "007", "question": 'Two\nlines, "quoted"?', "answer": "3.0", "options": ""},
    {"id": "8", "question": "How many?", "answer": "1e5", "options": ""},
    {"id": "9", "question": "Ein Ö?", "answer": "007", "options": '["007", "8"]'},
]


def written(path, text, encoding="utf-8"):
    data = text.encode(encoding)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def table_text(delimiter, end="\r\n"):
    def cell(text):
        return '"' + text.replace('"', '""') + '"' if set(text) & set('",;\t\n') else text

    lines = [list(ROWS[0]), *(list(map(str, r.values())) for r in ROWS)]
    return end.join(delimiter.join(map(cell, line)) for line in lines) + end


@pytest.mark.parametrize(
    ("name", "delimiter", "encoding"),
    [("a.csv", ",", "utf-8"), ("a.csv", ";", "utf-8-sig"), ("a.CSV", "\t", "utf-8"), ("a.tsv", "\t", "utf-8-sig"),
     ("a.csv.gz", ",", "utf-8"), ("a.tsv.gz", "\t", "utf-8")],
)  # fmt: skip
def test_cells_are_what_the_file_says(tmp_path, name, delimiter, encoding):
    for end in ("\r\n", "\n"):
        table = read_table(written(tmp_path / name, table_text(delimiter, end), encoding))
        assert (table.unit, list(table.rows)) == ("line", [(2, ROWS[0]), (4, ROWS[1]), (5, ROWS[2])])


def test_a_table_gives_the_problems_that_json_lines_give(tmp_path):
    lines = written(tmp_path / "a.jsonl", "".join(json.dumps({k: v for k, v in r.items() if v}) + "\n" for r in ROWS))
    wanted = own_rows(lines, "x", NAMES, "value")[:2]
    assert [r.answer for r in wanted] == ["3.0", "1e5"]
    assert own_rows(written(tmp_path / "a.csv", table_text(",")), "x", NAMES, "value")[:2] == wanted
    array = written(tmp_path / "a.json", json.dumps([{k: v for k, v in r.items() if v} for r in ROWS], indent=1))
    assert own_rows(array, "x", NAMES, "value")[:2] == wanted


def test_options_in_a_cell_are_json_or_labelled_or_refused(tmp_path):
    def options(cell):
        text = f'question,answer,options\nPrime?,53,"{cell}"\n'.replace("|Q", '""')
        return own_rows(written(tmp_path / "a.csv", text), "x", NAMES, "value")[0].options

    for cell in ("[|Q51|Q, |Q53|Q]", "{|QA|Q: |Q51|Q, |QB|Q: |Q53|Q}", "['51', '53']", "A. 51 B. 53", "51\n53"):
        assert [x[-2:] for x in options(cell)] == ["51", "53"], cell
    for cell in ("51|53", "51;53", "51, 53", "['51' '53']"):
        with pytest.raises(DataError, match=r"a\.csv line 2: .*Rule: .*Remedy: "):
            options(cell)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('question,answer\n"a\nb",1\nc,1,2\n', r"a\.csv line 4: has 3 cells, but the header line has 2"),
        ("question,answer\na,1\nb\n", r"a\.csv line 3: has 1 cells"),
        ("question,answer,answer\na,1,2\n", "the column 'answer' appears twice"),
        ('question,answer\na,1\n"b,2\nc,3\n', r"a\.csv: the row that begins in line 3 cannot be read"),
        ('question,answer\na,"1"2\n', r"a\.csv: the row that begins in line 2 cannot be read"),
        ("question;answer,note\na;1,2\n", "the header line has comma and semicolon"),
        ("frage,antwort\na,1\n", r"line 2: lacks \['question', 'answer'\]; its columns are \['antwort', 'frage'\]"),
        ("question,answer\na,\n", r"a\.csv line 2: answer='' is not text"),
        ("question,answer\n", "has no rows"),
    ],
)  # fmt: skip
def test_a_broken_csv_is_refused_by_line(tmp_path, text, said):
    with pytest.raises(DataError, match=rf"{said}.*Remedy: "):
        own_rows(written(tmp_path / "a.csv", text), "x", NAMES, "auto")


@pytest.mark.parametrize("name", ["a.csv", "a.json", "a.tsv"])
def test_another_encoding_is_named_with_its_remedy(tmp_path, name):
    for encoding, said in (("utf-16", "UTF-16 text"), ("utf-16-be", "UTF-16 text"), ("latin-1", "not UTF-8 text")):
        with pytest.raises(DataError, match=rf"{name}.* is {said}.*Rule: text files are UTF-8\. Remedy: "):
            list(read_table(written(tmp_path / name, "question\tä\nö\t2\n", encoding)).rows)


def test_an_array_is_read_whole_and_its_rows_are_counted(tmp_path):
    path = written(
        tmp_path / "a.json", '\ufeff[{"question": "a?", "answer": 0.10},\n {"question": "b?", "answer": 1e400}]'
    )
    rows = own_rows(path, "x", NAMES, "auto")
    assert [(r.id, r.answer) for r in rows] == [("x-1", "0.1"), ("x-2", r"1 \times 10^{400}")]
    old = written(tmp_path / "a.jsonl", '[\n {"question": "a?", "answer": 1}\n]')
    assert len(own_rows(old, "x", NAMES, "auto")) == 1
    for text, said in (
        ('[{"question": "a?", "answer": 1}, 2]', "row 2: int is not a JSON object"),
        ('[{"question": "a?", "answer": null}]', "row 1: answer=None is not text"),
        ('[{"answer": 1, "answer": 2}]', "'answer' appears twice"),
        ('[{"answer": 1},\n', "not JSON"),
    ):
        with pytest.raises(DataError, match=rf"a\.json:? ?{said}.*Remedy: "):
            own_rows(written(tmp_path / "a.json", text), "x", NAMES, "auto")


@pytest.mark.parametrize(
    ("start", "said"),
    [(b"PK\x03\x04abc", "a zip archive or a spreadsheet"), (b"ARROW1\0\0", "an Arrow file"),
     (b"\xff\xff\xff\xff\0\0", "an Arrow stream"), (lzma.compress(b"x"), "compressed with xz"),
     (bz2.compress(b"x"), "compressed with bzip2"), (b"\x28\xb5\x2f\xfd", "compressed with zstd"),
     (pickle.dumps([1]), "a pickle of Python"), (b"\x93NUMPY\x01\0", "an array of numpy"), (b"%PDF-1.4\n", "a PDF"),
     (b"SQLite format 3\0", "a SQLite database"), (b"\n<!DOCTYPE html><html>", "a web page"), (b"<HTML>", "a web page"),
     (b"version https://git-lfs.github.com/spec/v1\noid sha256:a\n", "a pointer of Git LFS"), (b"<?xml ", "an XML"),
     (b"a" * 257 + b"ustar", "a tar archive")],
)  # fmt: skip
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.jsonl.gz"])
def test_what_is_no_table_is_named(tmp_path, name, start, said):
    """A Git LFS pointer was called broken JSON, and a pickle text of another encoding."""
    (tmp_path / name).write_bytes(gzip.compress(start) if name.endswith(".gz") else start)
    with pytest.raises(DataError, match=rf"{name} is {said}.*Rule: .*Remedy: "):
        read_table(tmp_path / name)


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.json", "a.jsonl.gz"])
def test_gzip_is_known_by_its_first_bytes(tmp_path, name):
    """A packed file without ``.gz`` was called UTF-16 text, and a plain one with ``.gz`` broken."""
    text = {"a.csv": "question,answer\n2 + 2?,4\n", "a.json": '[{"question": "2 + 2?", "answer": "4"}]'}
    data = text.get(name, '{"question": "2 + 2?", "answer": "4"}\n').encode()
    for written_data in (data, gzip.compress(data)):
        (tmp_path / name).write_bytes(written_data)
        (row,) = own_rows(tmp_path / name, "x", NAMES, "auto")
        assert (row.question, row.answer) == ("2 + 2?", "4")


ROW = {"question": "2 + 2?", "answer": "4"}


@pytest.mark.parametrize(
    ("text", "said"),
    [(json.dumps(ROW, indent=1), "line 1: not JSON .*goes on in the next line; write one object a line"),
     (json.dumps(ROW) + ",\n" + json.dumps(ROW), "line 1: not JSON .*something follows .*write one object a line"),
     (json.dumps(ROW) * 2, "line 1: not JSON .*something follows the first object"),
     (json.dumps({"data": [ROW]}), "the rows seem to be in a list under 'data'; write one object a line"),
     (json.dumps({k: {"0": v, "1": v} for k, v in ROW.items()}), "hold a whole column; write one object a line"),
     (json.dumps({k: [v, v] for k, v in ROW.items()}), "each name seems to hold a whole column"),
     (json.dumps({"q1": ROW, "q2": ROW}), "each name seems to hold a row"),
     (json.dumps({"messages": [{"role": "user", "content": "2?"}]}), r"'messages' cannot .*row\['messages'\]\[0\]\['c"),
     (json.dumps({"conversations": [{"from": "human", "value": "2?"}]}), r"'conversations'\]\[0\]\['value'\]"),
     (json.dumps({"question": "2?", "reward_model": {"ground_truth": "4"}}), r"\['reward_model'\]\['ground_truth'\]"),
     (json.dumps({"question": {"stem": "2?"}, "answer": "4"}), r"row\['question'\]\['stem'\]"),
     (json.dumps({"question": "2?", "answer": {"number": "4"}}), r"row\['answer'\]\['number'\]"),
     (json.dumps({"frage": "2?", "answer": "4"}), r"Remedy: data\.columns\.question=NAME")],
)  # fmt: skip
def test_other_layouts_of_json_say_what_to_write(tmp_path, text, said):
    with pytest.raises(DataError, match=r"a\.json.*Remedy: ") as e:
        own_rows(written(tmp_path / "a.json", text), "x", NAMES, "auto")
    assert re.search(said, str(e.value)), str(e.value)


def test_an_array_of_options_as_numpy_prints_it_is_refused(tmp_path):
    """Python reads ``'4' '5'`` as one text, 45."""
    for cell in ("['4' '5' '6']", "['4 pens'\n '5 pens']", "{'text': array(['4', '5'], dtype=object), 'label': 1}"):
        path = written(tmp_path / "a.csv", f'question,answer,options\nHow many?,4,"{cell}"\n')
        with pytest.raises(DataError, match=r"a\.csv line 2: .*array as numpy prints it.*Remedy: .*tolist"):
            own_rows(path, "x", NAMES, "auto")


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(DataError, match=r"a\.parquet is missing\. Remedy: look"):
        read_table(tmp_path / "a.parquet", remedy="look")


def test_shots_may_stand_in_any_table(tmp_path):
    path = written(tmp_path / "shots.csv", 'question,solution\n1 + 1?,"1+1=2\n#### 2"\n')
    model = TargetModel(name="x", source="packaged:tiny_l", template="plain", few_shot=str(path))
    assert model.shots() == (("1 + 1?", "1+1=2\n#### 2"),)
    written(path, "question,answer\n1 + 1?,2\n")
    with pytest.raises(DataError, match=r"line 2: lacks \['solution'\]; .*this one has \['answer', 'question'\]"):
        model.shots()


def test_a_cell_may_be_longer_than_the_library_allows(tmp_path):
    before = csv.field_size_limit()
    (row,) = read_table(written(tmp_path / "a.csv", f"question\n{'a' * 200_000}\n")).rows
    assert len(row[1]["question"]) == 200_000
    assert csv.field_size_limit() == before


def test_parquet_without_its_reader_says_what_brings_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"needs pyarrow.*Remedy: pip install 'sei\[hub\]'.*to_json\('a\.jsonl'"):
        list(read_table(tmp_path / "a.parquet").rows)


def test_parquet_keeps_digits_and_plain_values(tmp_path):
    pa = pytest.importorskip("pyarrow", reason="needs pip install 'sei[hub]'")
    import decimal

    import pyarrow.parquet as pq

    n = 6
    table = pa.table(
        {
            "question": [f"q{i}?" for i in range(n)],
            "answer": pa.array([0.1, 3.0, 1e5, 1e-7, 12.5, 7.25], pa.float32()),
            "text": ["007", "3.0", "1e5", "", None, "x"],
            "exact": pa.array([decimal.Decimal("12.50")] * n),
            "id": pa.array([1, 2, None, 4, 5, 6], pa.int64()),
            "picture": pa.array([b"\xff\xd8" * 100] * n),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    read = read_table(tmp_path / "a.parquet")
    assert read.unit == "row"
    rows = own_rows(tmp_path / "a.parquet", "x", NAMES, "auto")
    assert [r.answer for r in rows] == ["0.1", "3", "100000", "1e-07", "12.5", "7.25"]
    assert [r.id for r in rows] == ["x-1", "x-2", "x-3", "x-4", "x-5", "x-6"]
    texts = own_rows(tmp_path / "a.parquet", "x", NAMES | {"answer": "exact", "group": "text"}, "auto")
    assert texts[0].answer == "12.5"
    assert texts[0].group == "007"
    with pytest.raises(DataError, match=r"a\.parquet row 4: text='' is not text"):
        own_rows(tmp_path / "a.parquet", "x", NAMES | {"answer": "text"}, "auto")
    with pytest.raises(DataError, match=r"a\.parquet row 1: .*is not text"):
        own_rows(tmp_path / "a.parquet", "x", NAMES | {"answer": "picture"}, "auto")
    pq.write_table(pa.table([pa.array(["a"]), pa.array(["b"])], names=["answer", "answer"]), tmp_path / "b.parquet")
    with pytest.raises(DataError, match="the column 'answer' appears twice"):
        list(read_table(tmp_path / "b.parquet").rows)
    (tmp_path / "c.parquet").write_bytes(b"PAR1 nothing")
    with pytest.raises(DataError, match=r"c\.parquet cannot be read as Parquet"):
        list(read_table(tmp_path / "c.parquet").rows)


def test_options_of_parquet_may_be_lists_or_structs(tmp_path):
    pa = pytest.importorskip("pyarrow", reason="needs pip install 'sei[hub]'")
    import pyarrow.parquet as pq

    for options in (["51", "53"], {"text": ["51", "53"], "label": ["A", "B"]}, {"A": "51", "B": "53"}):
        pq.write_table(
            pa.table({"question": ["Prime?"], "answer": ["B"], "options": [options]}), tmp_path / "a.parquet"
        )
        (row,) = own_rows(tmp_path / "a.parquet", "x", NAMES, "auto")
        assert (row.answer, [x[-2:] for x in row.options]) == ("B", ["51", "53"])
