"""Tables, captions and names."""

import gzip
from base64 import b64decode

import pandas as pd
import pytest

from rnnxai.errors import Error
from rnnxai.figures.table_files import Printed, write_tables
from rnnxai.report.captions import Captions, as_html
from rnnxai.report.names import title_of, what_of
from rnnxai.report.tables import as_table, carried, read_csv, read_markdown


def test_any_table_is_laid_out():
    frame = pd.DataFrame(
        {
            "a_name": ["x", None],
            "share": [0.123456, float("nan")],
            "count": [1234567.0, 2.0],
            "whole": [1, 20000],
        }
    )
    table = as_table(frame)
    assert [(column.title, column.numeric) for column in table.columns] == [
        ("a name", False),
        ("share", True),
        ("count", True),
        ("whole", True),
    ]
    dash = "\N{EN DASH}"
    assert table.rows == [["x", "0.1235", "1,234,567", "1"], [dash, dash, "2", "20000"]]
    assert table.left_out == 0


def test_long_tables_are_cut():
    table = as_table(pd.DataFrame({"n": range(1000)}))
    assert len(table.rows) + table.left_out == 1000
    assert table.left_out > 0


def test_a_table_is_read_as_it_was_printed(tmp_path):
    frame = pd.DataFrame({"a_b": ["x|y", "z*"], "n": [1.5, None]})
    write_tables(Printed(frame, {"a_b": "a_b", "n": "n, %"}, "What | it [is] < that."), tmp_path / "t")
    caption, table = read_markdown(tmp_path / "t.md")
    assert caption == "<p>What | it [is] &lt; that.</p>"
    assert [(column.title, column.numeric) for column in table.columns] == [("a_b", False), ("n, %", True)]
    assert table.rows == [["x|y", "1.5"], ["z*", "\N{EN DASH}"]]


@pytest.mark.parametrize("text", ["", "caption only", "caption\n\n| a | b |\n| --- |\n"])
def test_what_is_no_printed_table(tmp_path, text):
    (tmp_path / "t.md").write_text(text)
    with pytest.raises(Error, match=r"t\.md: not readable as a printed table"):
        read_markdown(tmp_path / "t.md")


def test_folds_stay_names(tmp_path):
    (tmp_path / "t.csv").write_text("fold,x\n0,1\nquality,2\n")
    assert list(read_csv(tmp_path / "t.csv")["fold"]) == ["0", "quality"]
    with pytest.raises(Error, match="not readable as a table"):
        read_csv(tmp_path / "none.csv")


def content_of(data):
    return b64decode(data.address.partition("base64,")[2])


def test_files_are_carried_along():
    small = carried("a.csv", b"x,y\n", "scores/a.csv")
    assert (small.name, small.size, content_of(small)) == ("a.csv", "4 bytes", b"x,y\n")
    assert small.stem == "a"
    content = b"x,y\n" * 100_000
    large = carried("a.csv", content, "scores/a.csv")
    assert (large.name, large.size) == ("a.csv.gz", "400 kB, packed")
    assert gzip.decompress(content_of(large)) == content
    assert large == carried("a.csv", content, "scores/a.csv")


def test_huge_files_are_only_named(rng):
    content = rng.bytes(2_000_000)
    assert carried("a.csv", content, "scores/a.csv").address == "scores/a.csv"
    assert carried("a.csv", content, "scores/a.csv").name == ""


def test_captions(tmp_path):
    (tmp_path / "a.rst").write_text("One ``two`` *three*.\n\nFour < five.\n")
    captions = Captions(tmp_path)
    html = captions("a")
    assert "<em>three</em>" in html and "two</span>" in html and "Four &lt; five." in html
    assert captions.opening("a").count("<p") == 1 and "Four" not in captions.opening("a")
    assert captions("b", "2 * 3 `x` a_b |c|.") == "<p>2 * 3 `x` a_b |c|.</p>"
    assert Captions(None)("a", "no folder") == "<p>no folder</p>"


def test_captions_that_are_not_understood():
    with pytest.raises(Error, match="mine is no reStructuredText"):
        as_html("*never ends", "mine")
    with pytest.raises(Error, match="mine is no reStructuredText"):
        as_html(".. raw:: html\n\n   <script>alert(1)</script>\n", "mine")


@pytest.mark.parametrize(
    ("stem", "words"),
    [
        ("digits-maj", "digits-maj"),
        ("digits-maj-t12", "digits-maj, T = 12"),
        ("mnist-t4-fold-quality", "mnist, T = 4, fixed split"),
        ("mnist-maj-lstm-t12-fold-3", "mnist-maj-lstm, T = 12, fold 3"),
    ],
)
def test_names_in_words(stem, words):
    assert what_of(stem) == words
    assert title_of("where-did-the_score-go") == "Where did the score go"
