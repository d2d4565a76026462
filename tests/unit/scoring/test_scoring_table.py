import numpy as np
import pandas as pd
import pytest

from rnnxai.errors import Error
from rnnxai.scoring.statistics import bootstrap_interval, corrected_interval, mean_interval
from rnnxai.scoring.summary import summarise
from rnnxai.scoring.table import merge, read_table, write_rows

FOLDS = {"digits-maj": 7, "NA": 7}
COSINES = [0.72, 0.71, 0.7 + 1 / 3000]


def row(fold, **changes):
    return {
        "dataset": "digits-maj",
        "architecture": "deep",
        "T": 12,
        "fold": str(fold),
        "explainer": "sa",
        "n": 100,
        "n_undefined": fold,
        "n_maps": 50,
        "accuracy": 0.9 + fold / 100,
        "cosine": COSINES[fold],
        "cosine_zero": COSINES[fold] / 2,
        "cosine_correct": None,
        "majority_share": 1.0,
        "conservation_max_error": None,
    } | changes


BARE = {"n_undefined": None, "cosine": None, "cosine_zero": None, "majority_share": None, "dataset": "NA"}
GROUPS = [
    [row(2), row(10 % 3)],
    [row(0), row(0, explainer="dtd", conservation_max_error=1e-7)],
    [row(0, **BARE)],
]


@pytest.fixture
def tables(tmp_path):
    paths = [tmp_path / f"{number}.csv" for number in range(len(GROUPS))]
    for path, rows in zip(paths, GROUPS, strict=True):
        write_rows(path, rows)
    return paths


def test_merged_rows_are_sorted_and_complete(tmp_path, tables):
    merged = merge(tables, tmp_path / "scores.csv")
    cells = list(zip(merged.dataset, merged.explainer, merged.fold, strict=True))
    assert cells == [
        ("NA", "sa", "0"),
        ("digits-maj", "dtd", "0"),
        ("digits-maj", "sa", "0"),
        ("digits-maj", "sa", "1"),
        ("digits-maj", "sa", "2"),
    ]
    assert list(merged.cosine)[2:] == pytest.approx(COSINES)
    assert merged.n_undefined.isna().tolist() == [True, False, False, False, False]
    pd.testing.assert_frame_equal(read_table(tmp_path / "scores.csv"), merged)


def test_the_order_of_tables_and_a_second_merge_change_no_byte(tmp_path, tables):
    merge(tables, tmp_path / "a.csv")
    merge(tables[::-1], tmp_path / "b.csv")
    merge([tmp_path / "a.csv"], tmp_path / "c.csv")
    assert len({(tmp_path / f"{name}.csv").read_bytes() for name in "abc"}) == 1


def test_the_text_of_a_table(tmp_path, tables):
    lines = tables[0].read_text().splitlines()
    assert lines[0].split(",") == list(row(0))
    assert lines[2] == "digits-maj,deep,12,2,sa,100,2,50,0.92,0.7003333333,0.3501666667,,1,"


def test_summary_by_hand(tmp_path, tables):
    summary = summarise(merge(tables, tmp_path / "scores.csv"), tmp_path / "summary.csv", FOLDS)
    found = summary.query("dataset == 'digits-maj' and explainer == 'sa'").set_index("score")
    assert list(found.index) == ["cosine", "cosine_zero", "cosine_correct", "majority_share"]
    first = found.loc["cosine"]
    rounded = [float(f"{value:.10g}") for value in COSINES]
    assert (first.folds, first.n_undefined) == (3, 3)
    assert first["mean"] == pytest.approx(np.mean(rounded))
    assert first.sd == pytest.approx(np.std(rounded, ddof=1))
    assert (first.t_low, first.t_high) == pytest.approx(mean_interval(rounded))
    assert (first.corrected_low, first.corrected_high) == pytest.approx(corrected_interval(rounded, 1 / 6))
    assert (first.n, first.n_maps) == (300, 150)
    assert (first.bootstrap_low, first.bootstrap_high) == pytest.approx(bootstrap_interval(rounded))
    assert first.accuracy == pytest.approx(0.91)
    assert found.loc["cosine_zero", "mean"] == pytest.approx(np.mean(rounded) / 2)
    assert found.loc["cosine_correct", "folds"] == 0
    assert np.isnan(found.loc["cosine_correct", "mean"])
    pd.testing.assert_frame_equal(read_table(tmp_path / "summary.csv"), summary, rtol=1e-9)


def test_one_fold_has_a_mean_and_no_interval(tmp_path, tables):
    summary = summarise(merge(tables, tmp_path / "scores.csv"), tmp_path / "summary.csv", FOLDS)
    one = summary.query("explainer == 'dtd' and score == 'cosine'").iloc[0]
    assert (one.folds, one["mean"]) == (1, pytest.approx(0.72))
    assert one[["sd", "t_low", "t_high", "bootstrap_low", "bootstrap_high"]].isna().all()


def test_cells_without_marks_keep_their_accuracy(tmp_path, tables):
    summary = summarise(merge(tables, tmp_path / "scores.csv"), tmp_path / "summary.csv", FOLDS)
    bare = summary.query("dataset == 'NA' and score == 'cosine'").iloc[0]
    assert (bare.folds, bare.accuracy) == (0, pytest.approx(0.9))
    assert pd.isna(bare.n_undefined)
    assert pd.isna(bare["mean"])


def test_nothing_with_marks_leaves_every_column(tmp_path, tables):
    scores = merge(tables, tmp_path / "scores.csv").query("dataset == 'NA'")
    summary = summarise(scores, tmp_path / "summary.csv", FOLDS)
    assert summary[["mean", "sd", "corrected_low", "t_high", "bootstrap_high"]].isna().all(axis=None)


def test_the_fixed_split_is_no_fold(tmp_path):
    rows = [row(0), row(1), row(2) | {"fold": "quality"}, row(0) | {"fold": "10"}, row(0) | {"fold": "9"}]
    write_rows(tmp_path / "rows.csv", rows)
    scores = read_table(tmp_path / "rows.csv")
    assert list(scores.fold) == ["0", "1", "9", "10", "quality"]
    summary = summarise(scores, tmp_path / "summary.csv", FOLDS).query("score == 'cosine'").set_index("split")
    assert dict(summary["folds"]) == {"folds": 4, "quality": 1}
    assert summary["mean"]["quality"] == pytest.approx(COSINES[2])
    assert summary["mean"]["folds"] == pytest.approx(np.mean([COSINES[0]] * 3 + [COSINES[1]]))


def test_level_and_resamples_are_those_asked_for(tmp_path, tables):
    scores = merge(tables, tmp_path / "scores.csv")
    summary = summarise(scores, tmp_path / "summary.csv", FOLDS, level=0.5, resamples=100)
    sa = summary.query("dataset == 'digits-maj' and explainer == 'sa' and score == 'cosine'").iloc[0]
    rounded = [float(f"{value:.10g}") for value in COSINES]
    assert (sa.t_low, sa.t_high) == pytest.approx(mean_interval(rounded, 0.5))
    assert (sa.bootstrap_low, sa.bootstrap_high) == pytest.approx(bootstrap_interval(rounded, 0.5, 100))


def test_two_rows_for_one_archive_are_refused(tmp_path, tables):
    with pytest.raises(Error, match=r"two rows for .*'fold': '1'.*each archive has one"):
        merge([*tables, tables[0]], tmp_path / "scores.csv")
    assert not (tmp_path / "scores.csv").exists()


def test_what_is_no_table_is_refused(tmp_path, tables):
    (tmp_path / "text.csv").write_text("a,b\n1,2\n")
    with pytest.raises(Error, match="columns dataset, architecture, T, explainer are missing"):
        merge([tmp_path / "text.csv"], tmp_path / "scores.csv")
    with pytest.raises(Error, match=r"none\.csv: not readable"):
        read_table(tmp_path / "none.csv")
    with pytest.raises(Error, match="no tables to merge"):
        merge([], tmp_path / "scores.csv")
    write_rows(tmp_path / "more.csv", [row(0, extra=1.0)])
    with pytest.raises(Error, match=r"more\.csv: columns are .*'extra'"):
        merge([*tables, tmp_path / "more.csv"], tmp_path / "scores.csv")
    with pytest.raises(Error, match="columns dataset, architecture"):
        write_rows(tmp_path / "a.csv", [{"n": 1}])
    with pytest.raises(Error, match="columns n, n_undefined"):
        summarise(pd.DataFrame([row(0)]).drop(columns=["n", "n_undefined"]), tmp_path / "a.csv", FOLDS)
