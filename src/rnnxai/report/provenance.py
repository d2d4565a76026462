"""Where the results come from: versions, commits and hashes, as the archives record them."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import yaml

from rnnxai.archive.provenance import canonical_json
from rnnxai.config import Config
from rnnxai.report.matrix import Key

OUTSIDE = {"results", "data", "python_path", "train_job"}
"""Keys of a configuration that say where things lie or how jobs are run, and change nothing on the page."""


@dataclass(frozen=True)
class Provenance:
    """What the files of a study were made with.

    Attributes
    ----------
    facts : Mapping[str, sequence of str]
        Fact to its values; more than one if archives differ in it.
    files : DataFrame
        A row per archive: which it is, the hash of its content, of its network and of its data set.
    config : str
        The configuration as YAML, without what says where things lie.
    config_sha256 : str
    """

    facts: Mapping[str, Sequence[str]]
    files: pd.DataFrame
    config: str
    config_sha256: str


def read_provenance(config: Config, headers: Iterable[tuple[Key, Mapping[str, Any]]]) -> Provenance:
    """Put together what archives record.

    Parameters
    ----------
    config : Config
    headers : iterable of (Key, Mapping)
        The root attributes of archives.
    """
    facts: dict[str, set[str]] = {}
    rows = []
    for key, header in headers:
        for fact, value in _facts(header).items():
            facts.setdefault(fact, set()).add(value)
        rows.append(
            {
                **key.case._asdict(),
                "explainer": key.explainer,
                "archive_content_sha256": str(header["content_sha256"]),
                "network_sha256": str(header["model_sha256"]),
                "dataset_sha256": str(json.loads(header["inputs_json"]).get("dataset", "")),
            }
        )
    values = config.model_dump(mode="json", exclude=OUTSIDE)
    return Provenance(
        {fact: sorted(found) for fact, found in facts.items()},
        pd.DataFrame(rows),
        yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=100, default_flow_style=None),
        hashlib.sha256(canonical_json(values).encode()).hexdigest(),
    )


def _facts(header: Mapping[str, Any]) -> dict[str, str]:
    changed = ", with changes" if header["git_dirty"] else ""
    exact = "give equal bits" if header["deterministic"] else "may differ in the last bits"
    return {
        "commit of rnnxai": f"{header['git_commit']}{changed}",
        **json.loads(header["software_json"]),
        "device": f"{header['device']}, equal runs {exact}",
        "threads of a job": str(header["threads"]),
    }
