import json
from itertools import pairwise

import pytest

from rnnxai.errors import Error
from rnnxai.figures.save import save
from rnnxai.figures.style import VERMILLION
from rnnxai.figures.training_curves import draw

ENDS = {("r-lstm", 0): 0.99, ("r-lstm", 1): 0.985, ("shallow", 0): 0.97, ("shallow", 1): 1.0}


def write(path, accuracies, loss=2.0):
    rows = [
        {"epoch": i, "loss": loss / i, "test_accuracy": accuracy} for i, accuracy in enumerate(accuracies, 1)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def metrics(tmp_path):
    return {
        (architecture, fold): write(tmp_path / f"{architecture}-{fold}.jsonl", (0.5, 0.9, end))
        for (architecture, fold), end in ENDS.items()
    }


def remark(figure):
    return figure.get_supxlabel()


def test_the_table_holds_every_epoch(metrics):
    _, table = draw(metrics, gate=0.98)
    assert len(table) == 3 * len(ENDS)
    assert table["architecture"].unique().tolist() == ["shallow", "r-lstm"]
    last = table[table["epoch"] == 3].set_index(["architecture", "fold"])
    for (architecture, fold), end in ENDS.items():
        row = last.loc[(architecture, str(fold))]
        assert row["test_accuracy"] == end
        assert row["loss"] == pytest.approx(2 / 3)
        assert row["below_gate"] == (end < 0.98)


def test_folds_and_their_mean_are_drawn(metrics):
    figure, _ = draw(metrics)
    losses, accuracies = figure.axes[:2]
    assert losses.get_title("left") == "shallow"
    first, second, mean = (line.get_ydata().tolist() for line in accuracies.get_lines())
    assert (first, second) == ([0.5, 0.9, 0.97], [0.5, 0.9, 1.0])
    assert mean == pytest.approx([0.5, 0.9, 0.985])
    widths = [line.get_linewidth() for line in accuracies.get_lines()]
    assert widths[2] > widths[0] == widths[1]


def test_the_mean_stops_where_a_fold_does(metrics, tmp_path):
    metrics["shallow", 1] = write(tmp_path / "short.jsonl", (0.5, 0.7))
    figure, _ = draw(metrics)
    mean = figure.axes[1].get_lines()[-1]
    assert mean.get_xdata().tolist() == [1, 2]
    assert mean.get_ydata().tolist() == pytest.approx([0.5, 0.8])


def test_those_below_the_gate_are_named_and_not_left_out(metrics):
    figure, table = draw(metrics, gate=0.98)
    assert "Below the gate: shallow (fold 0)." in remark(figure)
    titles = [axes.title if axes.title.get_text() else axes._left_title for axes in figure.axes]
    assert "1 below the gate" in titles[1].get_text()
    assert titles[1].get_color() == VERMILLION
    assert "below" not in titles[3].get_text()
    for accuracies in figure.axes[1::2]:
        gate = {line.get_label(): line for line in accuracies.get_lines()}["gate"]
        assert set(gate.get_ydata()) == {0.98}
    assert set(table["architecture"]) == {"shallow", "r-lstm"}


@pytest.mark.parametrize("folds", [2, 1, 0])
def test_the_fixed_split_is_no_fold(tmp_path, folds):
    def at(name, end):
        return write(tmp_path / name, (0.5, end))

    metrics = {("deep", fold): at(f"{fold}", 0.98 + 0.01 * fold) for fold in range(folds)}
    figure, table = draw(metrics | {("deep", "quality"): at("quality", 0.9)}, gate=0.95)
    lines = {line.get_label(): line for line in figure.axes[1].get_lines()}
    assert lines["quality"].get_ydata().tolist() == [0.5, 0.9]
    assert lines["quality"].get_linestyle() == "--"
    if folds:
        assert lines["mean"].get_ydata()[-1] == pytest.approx(0.975 + 0.005 * folds)
        assert lines["mean"].get_linestyle() == "-"
    assert ("mean" in lines) == bool(folds)
    starts = {2: "2 folds end at .985, split .9", 1: "ends at .98", 0: "split ends at .9"}
    assert figure.axes[1].get_title("left").startswith(starts[folds])
    figure.draw_without_rendering()
    assert figure.axes[1]._left_title.get_window_extent().x1 < figure.bbox.x1
    assert "Dashed: the fixed split" in remark(figure)
    assert "Below the gate: deep (fixed split)." in remark(figure)
    assert set(table["fold"]) == {*map(str, range(folds)), "quality"}


def test_a_fold_and_the_fixed_split_below_the_gate_are_both_named(metrics, tmp_path):
    metrics["shallow", "quality"] = write(tmp_path / "quality", (0.5,))
    assert "Below the gate: shallow (fold 0, fixed split)." in remark(draw(metrics, gate=0.98)[0])
    assert "fixed split" not in remark(draw({key: metrics[key] for key in ENDS}, gate=0.98)[0])


@pytest.mark.parametrize(
    ("gate", "words"), [(0.97, "Below the gate: none."), (0.995, "shallow (fold 0), r-lstm (folds 0, 1).")]
)
def test_the_gate_itself_is_not_below(metrics, gate, words):
    assert words in remark(draw(metrics, gate=gate)[0])


def test_without_a_gate_nothing_is_judged(metrics):
    figure, table = draw(metrics)
    assert "gate" not in remark(figure)
    assert table["below_gate"].isna().all()


@pytest.mark.parametrize("accuracies", [(0.0, 1.0), (0.5,), (1.0, 1.0), (0.981, 0.984)])
@pytest.mark.parametrize("loss", [2.0, 0.0])
@pytest.mark.parametrize("gate", [None, 0.98])
def test_nothing_is_cropped(tmp_path, accuracies, loss, gate):
    figure, _ = draw({("deep", "quality"): write(tmp_path / "m.jsonl", accuracies, loss)}, gate=gate)
    figure.draw_without_rendering()
    for axes in figure.axes:
        low, high = axes.get_ylim()
        for line in axes.get_lines():
            assert low < min(line.get_ydata()) <= max(line.get_ydata()) < high
        start, end = axes.get_xlim()
        assert start < 1 <= len(accuracies) < end


@pytest.mark.parametrize("accuracies", [(0.1, 0.5, 0.9, 0.99, 1.0), (0.9, 0.95, 0.985), (0.3, 0.6)])
def test_ticks_do_not_overlap(tmp_path, accuracies):
    figure, _ = draw({("deep", 0): write(tmp_path / "m.jsonl", accuracies)})
    figure.draw_without_rendering()
    for axes in figure.axes:
        labels = [label for label in axes.get_yticklabels() if label.get_text()]
        boxes = sorted((label.get_window_extent() for label in labels), key=lambda box: box.y0)
        assert boxes
        assert all(below.y1 <= above.y0 for below, above in pairwise(boxes))


def test_equal_bytes(metrics, tmp_path):
    for stem in ("a", "b"):
        save(*draw(metrics, gate=0.98), tmp_path / stem)
    for ending in ("png", "svg", "pdf", "csv"):
        assert (tmp_path / f"a.{ending}").read_bytes() == (tmp_path / f"b.{ending}").read_bytes()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "holds no epoch"),
        ("{}\n", "must be JSON with epoch, loss, test_accuracy"),
        ("[1]\n", "must be JSON with"),
        ("nonsense\n", "must be JSON with"),
        ('{"epoch": 1, "loss": NaN, "test_accuracy": 0.5}\n', "line 1 is .*finite"),
        ('{"epoch": 1, "loss": 1, "test_accuracy": 97}\n', "line 1 is .*accuracy"),
    ],
)
def test_files_that_hold_something_else(tmp_path, content, message):
    path = tmp_path / "fold-0.metrics.jsonl"
    path.write_text(content)
    with pytest.raises(Error, match=message) as caught:
        draw({("deep", 0): path})
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("gate", [-0.1, 98])
def test_a_gate_is_a_share(metrics, gate):
    with pytest.raises(Error, match="gate is"):
        draw(metrics, gate=gate)


def test_missing_files(tmp_path):
    with pytest.raises(Error, match="no metrics"):
        draw({})
    with pytest.raises(Error, match="cannot be read"):
        draw({("deep", 0): tmp_path / "none.jsonl"})
