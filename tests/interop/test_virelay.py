"""A real ViRelAy shows what is exported for it."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import h5py
import numpy as np
import pytest
import yaml
from interop import REPOSITORY_VIRELAY, needed
from PIL import Image

from rnnxai.archive.read import AttributionArchive
from rnnxai.data.dataset import Dataset
from rnnxai.export.virelay import export_virelay

CATEGORY, CLUSTERING, EMBEDDING = "class-3", "odd_block", "block_share"


@pytest.fixture(scope="module")
def exported(study):
    return export_virelay(study.archives, study.dataset, study.results / "virelay")


@pytest.fixture(scope="module")
def address(exported, tmp_path_factory):
    """Serve the projects on this machine; give the address."""
    virelay = needed("ViRelAy", os.environ.get("RNNXAI_VIRELAY", REPOSITORY_VIRELAY))
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("virelay") / "log.txt"
    with log.open("w") as said:
        projects = [str(path) for path in exported.projects]
        server = subprocess.Popen(
            [virelay, "-p", str(port), *projects], stdout=said, stderr=subprocess.STDOUT
        )
    address = f"http://localhost:{port}"
    try:
        deadline = time.monotonic() + 90
        while not answers(address):
            assert server.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        yield address
    finally:
        server.terminate()
        server.wait(timeout=30)


def answers(address):
    try:
        with urlopen(address, timeout=5):
            return True
    except (URLError, OSError):
        return False


def get(address):
    with urlopen(address, timeout=60) as answer:
        assert answer.status == 200
        return answer.read()


def points(address, project):
    query = f"category={CATEGORY}&clustering={CLUSTERING}&embedding={EMBEDDING}"
    found = json.loads(get(f"{address}/api/projects/{project}/analyses/relevance?{query}"))
    assert "NaN" not in json.dumps(found)
    return found["embedding"]


def test_projects_and_their_analyses_are_listed(address, exported):
    projects = json.loads(get(f"{address}/api/projects"))
    assert [project["name"] for project in projects] == [
        "digits-maj, r-lstm, T=12, sa",
        "digits-maj, r-lstm, T=12, dtd",
    ]
    (method,) = json.loads(get(f"{address}/api/projects/0"))["analysisMethods"]
    assert method["embeddings"] == ["block_share", "step_pca"]
    assert method["clusterings"] == ["cosine_quarter", "odd_block", "predicted_right"]
    assert [category["humanReadableName"] for category in method["categories"]] == list("0123456789")


@pytest.mark.parametrize("project", [0, 1])
def test_every_colour_map_and_mode_answers(address, project):
    sample = points(address, project)[0]["attributionIndex"]
    base = f"{address}/api/projects/{project}"
    assert get(f"{base}/dataset/{sample}/image")[:4] in (b"\xff\xd8\xff\xe0", b"\x89PNG")
    maps = json.loads(get(f"{address}/api/color-maps"))
    assert len(maps) >= 8
    for each in maps:
        for over in ("true", "false"):
            query = f"colorMap={each['name']}&superimpose={over}"
            assert get(f"{base}/attributions/{sample}/heatmap?{query}")


def test_the_browser_shows_scatter_inputs_and_heatmaps(address, tmp_path):
    chromium = needed("Chromium", shutil.which("chromium") or shutil.which("chromium-browser"))
    chosen = ",".join(str(point["attributionIndex"]) for point in points(address, 1)[:6])
    for mode in ("Input", "Attribution"):
        picture = tmp_path / f"{mode}.png"
        query = f"analysisMethod=relevance&analysisCategory={CATEGORY}&clustering={CLUSTERING}"
        query += f"&embedding={EMBEDDING}&colorMap=blue-white-red&imageMode={mode}&embeddingVectors={chosen}"
        subprocess.run(
            [
                chromium,
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--enable-unsafe-swiftshader",
                "--hide-scrollbars",
                "--window-size=1500,950",
                "--virtual-time-budget=20000",
                f"--user-data-dir={tmp_path / 'profile'}",
                f"--screenshot={picture}",
                f"{address}/projects/1?{query}",
            ],
            check=True,
            capture_output=True,
            timeout=120,
        )
        seen = np.asarray(Image.open(picture).convert("RGB")).astype(int)
        assert seen.shape == (950, 1500, 3)
        scatter, strip = seen[160:700, 10:1240], seen[735:865, 10:560]
        coloured = np.ptp(scatter, axis=2) > 60
        assert coloured.sum() > 100, "no points in the scatter"
        if mode == "Input":
            assert (strip.max(axis=2) < 40).mean() > 0.3, "no black pictures of digits"
            assert (strip.min(axis=2) > 150).any()
        else:
            red = (strip[..., 0] > 150) & (strip[..., 1] < 120) & (strip[..., 2] < 120)
            assert red.sum() > 50, "no positive relevance in the heatmaps"
        if kept := os.environ.get("RNNXAI_SCREENSHOTS"):
            Path(kept).mkdir(parents=True, exist_ok=True)
            shutil.copy(picture, Path(kept) / f"virelay-{mode.lower()}.png")


# --- what it reads, without it -----------------------------------------------------------------------------


def test_views_show_the_maps_in_a_square(study, exported):
    folder = exported.projects[0].parent
    assert len(exported.projects) == 2 and exported.samples == 240
    dataset = Dataset.open(study.dataset)
    with h5py.File(folder / "input.h5") as inputs:
        rows = inputs["row"][:]
        assert inputs["data"].shape == (240, 3, 84, 84) and inputs["data"].is_virtual
        for channel in range(3):
            np.testing.assert_array_equal(
                inputs["data"][5, channel, 28:56], dataset.sequences(rows[5:6])[0, 0]
            )
        assert not inputs["data"][:, :, :28].any()
        np.testing.assert_array_equal(inputs["label"][:], dataset.labels[rows])
    for path in exported.projects:
        project = yaml.safe_load(path.read_text())["project"]
        for fold, source in enumerate(project["attributions"]["sources"]):
            assert (folder / source).stat().st_size < 60_000
            with h5py.File(folder / source) as view:
                original = (
                    study.results
                    / f"archives/digits-maj/r-lstm/t12/fold-{fold}"
                    / (f"{project['attributions']['attribution_method']}.attribution.h5")
                )
                with AttributionArchive(original) as archive:
                    kept = np.flatnonzero(archive["map_stored"][:])
                    for place in (0, 57, len(kept) - 1):
                        shown = view["attribution"][place]
                        np.testing.assert_array_equal(shown[0, 28:56], archive.map(int(kept[place]))[0])
                        assert (
                            shown[1:].sum() == 0
                            and rows[view["index"][place]] == archive["index"][kept[place]]
                        )
                    np.testing.assert_array_equal(view["prediction"][:], archive["prediction"][:][kept])


def test_analyses_are_finite_and_centred(exported):
    for path in exported.projects:
        with h5py.File(path.with_name(path.stem + ".analysis.h5")) as file:
            for category in file.values():
                for embedding in category["embedding"].values():
                    assert np.isfinite(embedding[:]).all() and np.abs(embedding[:]).max() <= 1.5
                assert set(np.unique(category["cluster/odd_block"][:])) <= {0, 1, 2}
                assert set(np.unique(category["cluster/cosine_quarter"][:])) <= set(range(5))


def test_equal_archives_give_equal_exports(study, exported, tmp_path):
    folder = exported.projects[0].parent
    again = folder.with_name("virelay-again")
    export_virelay(study.archives, study.dataset, again)
    assert {p.name: p.read_bytes() for p in again.iterdir()} == {
        p.name: p.read_bytes() for p in folder.iterdir()
    }
    assert sys.modules.get("virelay") is None  # a program of its own, never a library of ours
