"""The claims of the thesis, one by one, and how each is judged."""

from collections.abc import Callable
from dataclasses import dataclass

from rnnxai.reproduction.evidence import Evidence
from rnnxai.reproduction.findings import Finding, alike, higher, last_steps, likeness, spread, wider

ARCHITECTURES = (
    "shallow",
    "deep",
    "deep-v2",
    "conv-deep",
    "deep-sd",
    "r-lstm",
    "r-lstm-sd",
    "conv-plus-deep",
    "conv-r-lstm-sd",
    "conv-plus-r-lstm-sd",
)
MAJORITY, COLUMNS = ("mnist-maj", "fashion-mnist-maj"), ("mnist", "fashion-mnist")
GRADIENTS, PROPAGATION = ("sa", "gb"), ("dtd", "lrp-a1.5b0.5")
_BEST = "conv-r-lstm-sd"


@dataclass(frozen=True)
class Claim:
    """Something that the thesis says, and what would show it.

    Parameters
    ----------
    says : str
        The claim, in our words.
    where : str
        Where it is made.
    published : str
        What the thesis' own figures say of it.
    judge : function of Evidence
    """

    says: str
    where: str
    published: str
    judge: Callable[[Evidence], Finding]


CLAIMS = (
    Claim(
        "Under DTD and LRP, R-LSTM is above Deep, and Deep above Shallow.",
        "Sections 3.3 and 3.4",
        "True on MNIST-MAJ: .478, .681, .917 under DTD and .497, .728, .949 under LRP.",
        lambda runs: higher(
            runs.among(explainer=PROPAGATION),
            [("deep", "shallow"), ("r-lstm", "deep"), ("r-lstm", "shallow")],
        ),
    ),
    Claim(
        "Depth improves explanations under every method.",
        "Section 3.3",
        "True of DTD and LRP. Under SA, Shallow is above Deep on MNIST-MAJ (.727 and .720); under GB they "
        "are equal.",
        lambda runs: higher(runs, [("deep", "shallow"), ("deep-v2", "shallow"), ("conv-deep", "shallow")]),
    ),
    Claim(
        "DTD and LRP are more sensitive to the architecture than SA and GB.",
        "Sections 3.3 and 4",
        "True: from Shallow to R-LSTM, DTD gains .44, SA .13 on MNIST-MAJ.",
        lambda runs: spread(runs, PROPAGATION, GRADIENTS),
    ),
    Claim(
        "The architectures are equally accurate, so their explanations can be compared.",
        "Chapter 3",
        "Within 1.7 points on MNIST-MAJ and 6.3 on FashionMNIST-MAJ. Judged here: every difference to "
        "Shallow is below a point.",
        lambda runs: alike(runs, within=0.01),
    ),
    Claim(
        "With a single step, Shallow and Deep explain alike; with more steps they do not.",
        "Section 3.2",
        "Shown by pictures. Judged here by the correlation of their maps.",
        likeness,
    ),
    Claim(
        "More than 90 % of Shallow's relevance lies on the last three of seven steps.",
        "Section 3.2",
        "True of DTD alone (93.9 % for the digit 1, 95.7 % for trousers); the curves of LRP add up to "
        "63.5 % and 50.5 %.",
        lambda runs: last_steps(runs, "shallow", 7, 3, PROPAGATION, more_than=0.9),
    ),
    Claim(
        "R-LSTM improves explanations under every method.",
        "Section 3.4",
        "True on MNIST-MAJ, by .14 (SA) to .24 (DTD).",
        lambda runs: higher(runs, [("r-lstm", "deep")]),
    ),
    Claim(
        "Stationary dropout improves R-LSTM.",
        "Section 3.4",
        "True of GB and LRP on MNIST-MAJ; DTD and SA are worse there.",
        lambda runs: higher(runs, [("r-lstm-sd", "r-lstm")]),
    ),
    Claim(
        "Stationary dropout improves Deep.",
        "Section 3.4",
        "False on MNIST-MAJ: Deep-SD is below Deep under every method.",
        lambda runs: higher(runs, [("deep-sd", "deep")]),
    ),
    Claim(
        "Convolutions improve explanations.",
        "Sections 3.3 and 3.4",
        "True of ConvDeep beside Deep. ConvR-LSTM-SD is below R-LSTM-SD under SA and DTD, and equal under "
        "LRP and GB.",
        lambda runs: higher(runs, [("conv-deep", "deep"), ("conv-r-lstm-sd", "r-lstm-sd")]),
    ),
    Claim(
        "ConvR-LSTM-SD is the most explainable architecture.",
        "Section 3.4",
        "By its pictures. By the cosine on MNIST-MAJ it is first under GB alone.",
        lambda runs: higher(runs, [(_BEST, name) for name in ARCHITECTURES if name != _BEST]),
    ),
    Claim(
        "Lateral connections do not improve explanations.",
        "Section 3.4",
        "On MNIST-MAJ worse under GB, DTD and LRP, and better under SA.",
        lambda runs: higher(
            runs, [("conv-deep", "conv-plus-deep"), ("conv-r-lstm-sd", "conv-plus-r-lstm-sd")]
        ),
    ),
    Claim(
        "Lateral connections widen the interval.",
        "Section 3.4",
        "By the bars of Figure 3.21, under GB above all.",
        lambda runs: wider(
            runs, [("conv-plus-deep", "conv-deep"), ("conv-plus-r-lstm-sd", "conv-r-lstm-sd")]
        ),
    ),
)


def judge(evidence: Evidence) -> list[tuple[Claim, Finding]]:
    """Judge every claim by the runs of the thesis' own networks, data sets and methods."""
    explainers = (*GRADIENTS, *PROPAGATION)
    own = evidence.among(dataset=(*MAJORITY, *COLUMNS), architecture=ARCHITECTURES, explainer=explainers)
    return [(claim, claim.judge(own)) for claim in CLAIMS]
