import pandas as pd
import pytest
from matplotlib.figure import Figure

from rnnxai.errors import Error
from rnnxai.figures.save import save
from rnnxai.figures.style import styled

TABLE = pd.DataFrame({"name": ["a", "b"], "value": [0.1, None]})


@styled()
def some_figure():
    figure = Figure((2, 1), layout="constrained")
    axes = figure.subplots()
    axes.plot([1, 3, 2], label="line", marker="o")
    axes.set_title("some words")
    axes.imshow([[0, 1], [2, 3]])
    figure.legend(loc="outside upper left")
    return figure


def test_the_files_and_their_table(tmp_path):
    stem = tmp_path / "new" / "deep.lrp-a1.5b0.5"
    paths = save(some_figure(), TABLE, stem)
    assert [path.name for path in paths] == [f"deep.lrp-a1.5b0.5.{e}" for e in ("png", "svg", "pdf", "csv")]
    assert sorted(paths) == sorted(stem.parent.iterdir())
    assert paths[-1].read_bytes() == b"name,value\na,0.1\nb,\n"


def test_equal_figures_give_equal_bytes_at_any_time(tmp_path, monkeypatch):
    figure = some_figure()
    first = save(figure, TABLE, tmp_path / "first")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1000000000")  # what matplotlib takes for the time
    again = save(figure, TABLE, tmp_path / "again")
    other = save(some_figure(), TABLE, tmp_path / "other", ("pdf", "svg", "png"))
    for one, two, three in zip(first, again, [*other[2::-1], other[3]], strict=True):
        assert one.read_bytes() == two.read_bytes() == three.read_bytes()


def test_text_stays_text(tmp_path):
    _, svg, pdf, _ = save(some_figure(), TABLE, tmp_path / "figure")
    assert ">some words</text>" in svg.read_text()
    assert b"/FontFile2" in pdf.read_bytes()  # TrueType, as set by pdf.fonttype 42
    assert b"/CreationDate" not in pdf.read_bytes()


def test_an_unknown_format_writes_nothing(tmp_path):
    with pytest.raises(Error, match=r"'gif'.*png, svg, pdf"):
        save(some_figure(), TABLE, tmp_path / "figure", ("png", "gif"))
    assert not list(tmp_path.iterdir())


def test_a_figure_that_cannot_be_drawn_leaves_old_files_alone(tmp_path, monkeypatch):
    save(some_figure(), TABLE, tmp_path / "figure")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    figure = some_figure()

    def fail(*_, format, **__):  # noqa: A002
        if format == "pdf":
            raise MemoryError

    monkeypatch.setattr(figure, "savefig", fail)
    with pytest.raises(MemoryError):
        save(figure, TABLE.assign(value=9), tmp_path / "figure")
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
