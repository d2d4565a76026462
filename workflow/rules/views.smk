"""What figures and tables show: which networks stand together, and which files that makes."""

from dataclasses import astuple
from typing import NamedTuple

from rnnxai.figures.catalogue import FIGURES
from rnnxai.scoring.comparisons import Comparison

TABLES = ("parameters", "hyperparameters", "scores", "differences")


def figure_code(script, *names):
    return code(script, *(FIGURES.target(name) for name in names))


def figure_files(stem, name, **labels):
    """Outputs of a figure. The report shows the PNG; the others lie beside it."""
    stem = f"{RESULTS}/figures/{name}/{stem}"
    shown = report(
        f"{stem}.png",
        category="Figures",
        subcategory=name.replace("-", " ").capitalize(),
        labels=labels,
        caption=f"../report/{name}.rst",
    )
    return {"png": shown} | {ending: f"{stem}.{ending}" for ending in ("svg", "pdf", "csv")}


def figures_files(stem, names, **labels):
    """Outputs of several figures that one job draws."""
    return {
        f"{name.replace('-', '_')}_{ending}": path
        for name in names
        for ending, path in figure_files(stem, name, **labels).items()
    }


class View(NamedTuple):
    """What a figure of scores compares: architectures on a data set."""

    dataset: str
    comparison: Comparison


class Scene(NamedTuple):
    """What a figure of archives compares: a view of networks with one T and fold."""

    view: View
    steps: int
    fold: str


def views_of(dataset):
    """Views by the names of their figures: that of the data set, if it has but one comparison."""
    comparisons = STUDY.comparisons(dataset)
    if len(comparisons) == 1:
        return {dataset: View(dataset, comparisons[0])}
    return {f"{dataset}-{each.name}": View(dataset, each) for each in comparisons}


def scenes_of(name, view):
    """One fold of each T: the fixed split where there is one, which is that of the thesis' heatmaps."""
    folds = {}
    for case in STUDY.of_dataset(view.dataset):
        if case.architecture in view.comparison.architectures:
            folds.setdefault(case.steps, []).append(case.fold)
    chosen = {steps: "quality" if "quality" in found else min(found) for steps, found in folds.items()}
    return {f"{name}-t{steps}-fold-{fold}": Scene(view, steps, str(fold)) for steps, fold in chosen.items()}


MARKED = [dataset for dataset in STUDY.datasets if CONFIG.datasets[dataset].marked]
VIEWS = {name: view for dataset in STUDY.datasets for name, view in views_of(dataset).items()}
SCENES = {stem: scene for name, view in VIEWS.items() for stem, scene in scenes_of(name, view).items()}
EXPLAINERS = {name: path for group in STUDY.groups for name, path in archives_of(group).items()}
CONSERVING = [member.name for group in STUDY.groups.values() for member in group if may_conserve(member)]
LOOKS = {"ink-share", "mass-accuracy", "rank-accuracy"}
ONE_OF_EACH = list({case[:3]: case for case in reversed(STUDY.cases)}.values())[::-1]


def score_figures_of(view):
    names = []
    if view.dataset in MARKED:
        names.append("cosine")
        names += ["look"] if LOOKS & {score.name for score in CONFIG.scores} else []
        names += ["differences"] if view.comparison.pairs else []
    return (*names, "checks")


def archive_figures_of(scene):
    names = ["heatmaps", "positive-heatmaps"]
    names += ["relevance-per-step"] if scene.steps > 1 else []
    marked = scene.view.dataset in MARKED and CONFIG.datasets[scene.view.dataset].blocks == 3
    return (*names, "block-shares") if marked else tuple(names)


SCORE_FIGURES = {name: score_figures_of(view) for name, view in VIEWS.items()}
ARCHIVE_FIGURES = {stem: archive_figures_of(scene) for stem, scene in SCENES.items()}


def several(figures):
    """The sets of figures that are drawn together, each with a label for its rule."""
    sets = list(dict.fromkeys(figures.values()))
    return [("" if len(sets) == 1 else f"_{number}", names) for number, names in enumerate(sets, 1)]


def one_of(names):
    """Regular expression of some names."""
    return "|".join(map(re.escape, names))


def architectures_of(group):
    """Regular expression of the architectures that a group of explainers explains."""
    return one_of(dict.fromkeys(case.architecture for case in STUDY.cases if group in STUDY.groups_of(case)))


def drawn_together(figures, names):
    """Regular expression of what has these figures and no others."""
    return one_of(name for name, own in figures.items() if own == names)


def overview(dataset):
    """The networks of the overview: a few architectures, with the first T."""
    cases = STUDY.of_dataset(dataset)
    there = dict.fromkeys(case.architecture for case in cases if case.steps == cases[0].steps)
    wanted = [name for name in CONFIG.figures.overview if name in there] or list(there)[:5]
    view = View(dataset, Comparison("overview", tuple(wanted), ()))
    first, *_ = scenes_of(dataset, view).values()
    return first


OVERVIEWS = {dataset: overview(dataset) for dataset in MARKED}


def compared(wildcards):
    """The networks of a data set and number of steps."""
    wanted = {key: value for key, value in wildcards.items() if key in Case._fields}
    return [
        case for case in STUDY.cases if all(str(getattr(case, key)) == value for key, value in wanted.items())
    ]


def cases_of(scene):
    """The networks of a scene."""
    return [
        case
        for case in STUDY.of_dataset(scene.view.dataset)
        if case.architecture in scene.view.comparison.architectures
        and (case.steps, str(case.fold)) == (scene.steps, scene.fold)
    ]


def cells(scene, explainers):
    """Archives of a scene, by architecture and explainer."""
    return {
        (case.architecture, explainer): EXPLAINERS[explainer].format(**case._asdict())
        for case in cases_of(scene)
        for explainer in explainers
        if explainer in {member.name for member in STUDY.explainers_of(case)}
    }


def references_of(wildcards):
    """Levels of trivial explanations, where there are marks."""
    dataset = VIEWS[wildcards.view].dataset
    return [f"{RESULTS}/scores/{dataset}/references.csv"] if dataset in MARKED else []


def every_figure():
    figures = [f"{figure}/{view}" for view, names in SCORE_FIGURES.items() for figure in names]
    figures += [f"{figure}/{scene}" for scene, names in ARCHIVE_FIGURES.items() for figure in names]
    figures += [
        f"where-did-the-score-go/{name}" for name, scene in SCENES.items() if cells(scene, CONSERVING)
    ]
    figures += [f"{figure}/{dataset}" for dataset in OVERVIEWS for figure in ("overview", "problem")]
    networks = dict.fromkeys((case.dataset, case.steps) for case in STUDY.cases)
    figures += [f"training-curves/{dataset}-t{steps}" for dataset, steps in networks]
    return [f"{RESULTS}/figures/{figure}.png" for figure in figures]


def table_files():
    """Outputs of all tables for reading. The report shows the CSV; the others lie beside it."""
    files = {}
    for name in TABLES:
        stem = f"{RESULTS}/tables/{name}"
        files[f"{name}_csv"] = report(
            f"{stem}.csv", category="Tables", labels={"table": name}, caption=f"../report/tables.rst"
        )
        files |= {f"{name}_{ending}": f"{stem}.{ending}" for ending in ("md", "tex")}
    return files


def every_table():
    return [f"{RESULTS}/tables/{name}.csv" for name in TABLES]
