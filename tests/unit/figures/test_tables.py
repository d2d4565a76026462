import re
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest

from rnnxai.errors import Error
from rnnxai.figures.table_files import Printed, latex, markdown, write_tables
from rnnxai.figures.tables import differences_table, hyperparameters_table, parameters_table, scores_table
from rnnxai.scoring.differences import COLUMNS

NASTY = r"a&b_50%#{x}~^\$<|>"
TABLE = pd.DataFrame({"name": ["plain", NASTY], "value": [0.25, -1234.5678], "count": [1, 22]})


def printed(**options):
    return Printed(
        TABLE, {"name": "name #1", "value": "value, %", "count": "n"}, "Of 50 % & more.", **options
    )


def test_markdown():
    lines = markdown(printed()).splitlines()
    assert lines[0] == "Of 50 % & more."
    assert [cell.strip() for cell in lines[2].strip("|").split("|")] == ["name #1", "value, %", "n"]
    assert re.fullmatch(r"\| -+ \| -+: \| -+: \|", lines[3])
    assert lines[4].startswith("| plain ")
    assert lines[4].endswith("|     0.25 |   1 |")
    assert "a&b\\_50%#{x}~^\\\\$\\<\\|\\>" in lines[5]
    assert "\N{MINUS SIGN}1235" in lines[5]
    assert len({len(line) for line in lines[2:]}) == 1


def test_latex_escapes_everything():
    text = latex(printed())
    assert r"\caption{Of 50 \% \& more.}" in text
    assert r"name \#1 & value,~\% & n \\" in text
    assert r"\begin{tabular}{lrr}" in text
    row = next(line for line in text.splitlines() if line.startswith(r"a\&b"))
    assert row == (
        r"a\&b\_50\%\#\{x\}\textasciitilde{}\textasciicircum{}\textbackslash{}\$\textless{}\textbar{}\textgreater{}"
        r" & $-$1235 & 22 \\"
    )


def of_size(rows, columns, title="share of it"):
    names = [f"c{number}" for number in range(columns)]
    table = pd.DataFrame({name: ["fashion-mnist-maj"] * rows for name in names})
    return Printed(table, dict.fromkeys(names, title), "Of 50 %.")


SHAPES = {
    "small": (printed(), ("booktabs",)),
    "long": (of_size(100, 3), ("booktabs", "longtable")),
    "wide": (of_size(5, 6), ("booktabs", "longtable", "pdflscape")),
    "as wide as can be, and long": (of_size(100, 9), ("booktabs", "longtable", "pdflscape")),
}


@pytest.mark.parametrize("name", SHAPES)
def test_latex_puts_a_table_where_it_fits(name):
    table, packages = SHAPES[name]
    text = latex(table)
    assert text.splitlines()[0] == rf"% needs \usepackage{{{','.join(packages)}}}"
    assert (r"\begin{table}" in text) == (name == "small")
    assert (r"\begin{landscape}" in text) == ("wide" in name)
    assert text.count(r"\toprule") == (1 if name == "small" else 2)


def test_latex_breaks_headings_that_are_longer_than_what_is_below():
    table = Printed(TABLE[["count"]], {"count": "accuracy in, %"}, "")
    assert r"\shortstack[r]{accuracy \\ in,~\%} \\" in latex(table)
    assert "shortstack" not in latex(of_size(1, 1))


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="pdflatex is not installed")
@pytest.mark.parametrize("name", SHAPES)
def test_latex_takes_it_and_nothing_is_cut_off(tmp_path, name):
    text = latex(SHAPES[name][0])
    packages = text.splitlines()[0].removeprefix("% needs ")
    document = rf"\documentclass{{article}}{packages}\begin{{document}}{text}\end{{document}}"
    (tmp_path / "table.tex").write_text(document, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "table.tex"]
    for _ in range(3):  # after which a long table has found its widths
        ended = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
        if ended.returncode and b".sty' not found" in ended.stdout:
            pytest.skip("a package that comes with LaTeX is not installed")
        assert ended.returncode == 0
    assert b"Overfull" not in ended.stdout


def test_files_are_equal_bytes(tmp_path):
    for stem in ("a", "b"):
        paths = write_tables(printed(), tmp_path / stem)
    assert [path.name for path in paths] == ["b.csv", "b.md", "b.tex"]
    for ending in ("csv", "md", "tex"):
        assert (tmp_path / f"a.{ending}").read_bytes() == (tmp_path / f"b.{ending}").read_bytes()
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "a.csv"), TABLE)


def test_formats_and_texts():
    table = Printed(
        TABLE,
        {"value": "value", "both": "both"},
        "",
        {"value": lambda value: f"<{value:.0f}>"},
        {"both": ["x", "y"]},
    )
    assert table.cells == [["<0>", "x"], ["<-1235>", "y"]]
    assert table.numeric == [True, False]
    with pytest.raises(Error, match="columns other are not in the table; it has name, value, count"):
        Printed(TABLE, {"other": "other"}, "")


def cells(table):
    return [dict(zip(table.columns.values(), row, strict=True)) for row in table.cells]


NETWORK = {"dataset": "maj", "T": 12, "inputs": "28 x 7", "parameters": 184330, "thesis": 184330}


def test_parameters_and_accuracy():
    scores = pd.DataFrame(
        [
            {"dataset": "maj", "architecture": a, "T": 12, "fold": fold, "explainer": e, "accuracy": accuracy}
            for a in ("deep", "shallow")
            for e in ("sa", "dtd")
            for fold, accuracy in (("0", 0.98), ("1", 0.96), ("quality", 0.9))
        ]
    )
    networks = [NETWORK | {"architecture": name} for name in ("deep", "shallow", "lenet")]
    table = parameters_table(networks, scores, {"maj": 0.97})
    shallow, deep, lenet = cells(table)
    assert (shallow["architecture"], deep["architecture"]) == ("shallow", "deep")
    assert shallow["parameters"] == "184,330"
    assert (shallow["accuracy, %"], shallow["folds, %"], shallow["sd"]) == ("90.00", "97.00", "1.41")
    assert (shallow["folds"], shallow["below gate"]) == ("2", "2")
    assert (lenet["folds, %"], lenet["below gate"]) == ("\N{EN DASH}", "0")
    assert cells(parameters_table(networks, scores, {}))[0]["below gate"] == "\N{EN DASH}"


def test_hyperparameters():
    settings = {
        "epochs": 100,
        "batch_size": 50,
        "learning_rate": 0.0002,
        "dropout": 0.2,
        "seed": 0,
        "gate": None,
    }
    row = {"dataset": "maj", "architecture": "deep", "T": 12}
    (shown,) = cells(hyperparameters_table([row | settings]))
    assert shown["learning rate"] == "0.0002"
    assert (shown["epochs"], shown["batch size"], shown["gate"]) == ("100", "50", "\N{EN DASH}")


def summary(splits=("folds",)):
    return pd.DataFrame(
        [
            {
                "dataset": "maj", "architecture": "deep", "T": 12, "explainer": "dtd", "split": split,
                "score": score, "folds": 3, "mean": mean, "corrected_low": mean - 0.1,
                "corrected_high": mean + 0.1, "n": 30, "n_undefined": 2, "n_maps": 9,
            }
            for split in splits
            for score, mean in (("cosine", 0.7), ("cosine_zero", 0.6), ("mass_accuracy", 0.05))
        ]
    )  # fmt: skip


def test_scores_stand_beside_what_looks_at_nothing():
    references = {
        "maj": pd.DataFrame({"reference": ["uniform"], "n": [50], "cosine": [0.8165], "mass_accuracy": [0.1]})
    }
    table = scores_table(summary(), references)
    deep, uniform = cells(table)
    assert deep["cosine"] == ".700 [.600, .800]"
    assert deep["mass accuracy"] == ".050 [\N{MINUS SIGN}.050, .150]"
    assert "cosine zero" not in deep
    assert (deep["undefined"], deep["maps"], deep["explainer"]) == ("2", "9", "DTD")
    assert (uniform["explainer"], uniform["cosine"], uniform["folds"]) == ("uniform", ".817", "\N{EN DASH}")
    assert {"cosine_low", "cosine_high"} <= set(table.table)
    assert len(cells(scores_table(summary(("folds", "quality")), {}))) == 2


def test_a_study_without_scores_has_an_empty_table():
    assert scores_table(summary()[:0], {}).cells == []


def test_differences_with_their_verdicts():
    row = dict.fromkeys(COLUMNS, np.nan) | {
        "dataset": "maj", "T": 12, "comparison": "all", "score": "mass_accuracy", "explainer": "sa",
        "architecture": "deep", "baseline": "shallow", "folds": 3, "difference": -0.1234, "p_holm": 0.0001,
        "holm_low": -0.2, "holm_high": -0.05, "effect": -3.21, "verdict": "separated",
    }  # fmt: skip
    alone = row | {
        "explainer": "dtd",
        "p_holm": np.nan,
        "holm_low": np.nan,
        "effect": np.nan,
        "verdict": "too few folds",
    }
    first, second = cells(differences_table(pd.DataFrame([alone, row])))
    assert first["difference"] == "\N{MINUS SIGN}.123"
    assert first["interval"] == "\N{MINUS SIGN}.200 to \N{MINUS SIGN}.050"
    assert (first["p (Holm)"], first["effect"], first["score"]) == (
        "< .001",
        "\N{MINUS SIGN}3.2",
        "mass accuracy",
    )
    assert (second["interval"], second["p (Holm)"], second["verdict"]) == (
        "\N{EN DASH}",
        "\N{EN DASH}",
        "too few folds",
    )
