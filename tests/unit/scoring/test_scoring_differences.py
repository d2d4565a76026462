import numpy as np
import pandas as pd
import pytest

from rnnxai.errors import Error
from rnnxai.scoring.comparisons import Comparison, comparisons_of
from rnnxai.scoring.differences import (
    COLUMNS,
    NO_TEST,
    NOT_SEPARATED,
    SEPARATED,
    differences,
    read_differences,
    write_differences,
)
from rnnxai.scoring.statistics import corrected_interval, corrected_p, effect_size, holm

DEPTH = Comparison("depth", ("shallow", "deep", "deep-v2"), ("shallow",))
BETTER = {"shallow": 0.0, "deep": 0.2, "deep-v2": 0.005}


def scores(folds=5, explainers=("sa", "dtd"), steps=(12,), noise=0.01, fold_names=None):
    random = np.random.default_rng(0)
    hard = random.normal(0, 0.2, folds)  # what all networks of a fold have in common
    return pd.DataFrame(
        [
            {
                "dataset": "maj",
                "architecture": architecture,
                "T": T,
                "fold": str(fold) if fold_names is None else fold_names[fold],
                "explainer": explainer,
                "cosine": 0.5 + hard[fold] + better + random.normal(0, noise),
                "other": np.nan,
            }
            for T in steps
            for architecture, better in BETTER.items()
            for explainer in explainers
            for fold in range(folds)
        ]
    )


def compare(table, comparisons=(DEPTH,), **options):
    return differences(table, ["cosine", "other"], {"maj": comparisons}, {"maj": 7}, **options)


def test_by_hand():
    table = scores()
    found = compare(table)
    assert list(found.columns) == list(COLUMNS)
    assert set(found["score"]) == {"cosine"}  # nobody has the other one
    assert len(found) == 4
    p = []
    for _, row in found.iterrows():
        of = table[table["explainer"] == row["explainer"]].pivot(
            index="fold", columns="architecture", values="cosine"
        )
        apart = of[row["architecture"]] - of[row["baseline"]]
        assert row["folds"] == 5
        assert row["difference"] == pytest.approx(apart.mean())
        assert row["sd"] == pytest.approx(apart.std())
        assert row["effect"] == pytest.approx(effect_size(apart))
        assert row["p"] == pytest.approx(corrected_p(apart, 1 / 6))
        assert (row["low"], row["high"]) == pytest.approx(corrected_interval(apart, 1 / 6))
        p.append(row["p"])
    assert found["p_holm"].tolist() == pytest.approx(holm(p))


def test_the_verdict_is_that_of_the_interval():
    found = compare(scores(noise=0.05))
    assert set(found["verdict"]) == {SEPARATED, NOT_SEPARATED}
    over_0 = (found["holm_low"] <= 0) & (found["holm_high"] >= 0)
    assert (over_0 == (found["verdict"] == NOT_SEPARATED)).all()
    assert (found["holm_low"] <= found["low"]).all()


def test_pairing_takes_out_what_is_hard_for_all():
    found = compare(scores()).set_index(["architecture", "explainer"])
    assert found.loc[("deep", "dtd"), "sd"] < 0.05 < scores().groupby("architecture")["cosine"].std().min()


def test_only_folds_that_both_have_count():
    table = scores()
    gone = (table["architecture"] == "deep") & table["fold"].isin(["0", "1"])
    found = compare(table[~gone]).set_index("architecture")
    assert set(found.loc["deep", "folds"]) == {3}
    assert set(found.loc["deep-v2", "folds"]) == {5}


def test_one_fold_or_the_fixed_split_gives_no_verdict():
    for names, counted in ((["3"], 1), (["quality"], 0)):
        found = compare(scores(folds=1, fold_names=names))
        assert set(found["verdict"]) == {NO_TEST}
        assert set(found["folds"]) == {counted}
        assert found["difference"].notna().all()
        assert found[["p", "p_holm", "low", "high", "holm_low", "holm_high", "sd"]].isna().all(axis=None)


def test_the_fixed_split_is_no_fold():
    both = pd.concat([scores(), scores(folds=1, fold_names=["quality"]).assign(cosine=9.0)])
    pd.testing.assert_frame_equal(compare(both), compare(scores()))


def test_each_number_of_steps_is_a_family_of_its_own():
    found = compare(scores(steps=(4, 12)))
    alone = compare(scores(steps=(4, 12)).query("T == 4"))
    pd.testing.assert_frame_equal(found[found["T"] == 4].reset_index(drop=True), alone)


def test_several_baselines():
    wide = Comparison("wide", ("shallow", "deep", "deep-v2"), ("shallow", "deep"))
    found = compare(scores(), [wide])
    assert set(zip(found["architecture"], found["baseline"], strict=True)) == {
        ("deep-v2", "shallow"), ("deep-v2", "deep")
    }  # fmt: skip


def test_an_architecture_alone_makes_an_empty_table(tmp_path):
    found = compare(scores(), [Comparison("one", ("shallow",), ("shallow",))])
    assert list(found.columns) == list(COLUMNS)
    assert found.empty
    write_differences(found, tmp_path / "none.csv")
    assert read_differences(tmp_path / "none.csv").empty


def test_the_file(tmp_path):
    found = compare(scores())
    write_differences(found, tmp_path / "a.csv")
    pd.testing.assert_frame_equal(read_differences(tmp_path / "a.csv"), found, rtol=1e-8)
    (tmp_path / "b.csv").write_text("a\n1\n")
    with pytest.raises(Error, match="columns are a; expected a table of differences"):
        read_differences(tmp_path / "b.csv")
    with pytest.raises(Error, match="not readable"):
        read_differences(tmp_path / "c.csv")
    with pytest.raises(Error, match="columns cosine are missing"):
        compare(scores().drop(columns="cosine"))


DEFINED = {
    "depth": (["shallow", "deep", "deep-v2"], ["shallow"]),
    "lstm": (["deep", "r-lstm"], ["deep"]),
}


@pytest.mark.parametrize(
    ("there", "defined", "expected"),
    [
        (["deep", "shallow"], {}, [("all", ("deep", "shallow"), ("deep",))]),
        (["deep", "shallow"], DEFINED, [("depth", ("shallow", "deep"), ("shallow",))]),
        (["r-lstm", "deep-v2", "deep", "own"], DEFINED, [
            ("depth", ("deep", "deep-v2"), ("deep",)), ("lstm", ("deep", "r-lstm"), ("deep",)),
            ("others", ("own",), ("own",)),
        ]),
        (["deep", "lenet"], DEFINED, [("all", ("deep", "lenet"), ("deep",))]),
        (["lenet"], DEFINED, [("all", ("lenet",), ("lenet",))]),
    ],
)  # fmt: skip
def test_comparisons_of_what_is_there(there, defined, expected):
    assert comparisons_of(there, defined) == [Comparison(*each) for each in expected]
