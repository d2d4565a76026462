"""The commands by name.

Each is a function that adds the command's arguments to a parser and sets what runs them (`run`). Its module
is imported when the command is asked for, and does without torch until it runs.
"""

from rnnxai.registry import Entry, Registry

COMMANDS = Registry(
    "command",
    {
        "models": Entry("rnnxai.cli.models:arguments", "list the architectures and count their parameters"),
        "methods": Entry(
            "rnnxai.cli.methods:arguments", "list the explanation methods, what they conserve and how exactly"
        ),
        "check": Entry(
            "rnnxai.cli.check:arguments", "say what a method would do in each layer of a model, and where not"
        ),
        "report": Entry(
            "rnnxai.cli.report:arguments", "write a page of what there is of a study, finished or not"
        ),
        "reproduction": Entry(
            "rnnxai.cli.reproduction:arguments", "set what has run so far beside published numbers, on a page"
        ),
        "inspect": Entry(
            "rnnxai.cli.inspect:arguments", "show what is in an archive: its tree, scores and heatmaps"
        ),
        "verify": Entry("rnnxai.cli.verify:arguments", "read files to their end and name all damage"),
        "scores": Entry("rnnxai.cli.scores:arguments", "print the scores of archives or of a study"),
        "join": Entry(
            "rnnxai.cli.join:arguments", "put archives side by side in one file, over folds and explainers"
        ),
        "export": Entry("rnnxai.cli.export:arguments", "write archives for another program: ViRelAy"),
        "completion": Entry(
            "rnnxai.cli.completion:arguments", "print what makes a shell complete commands: bash, zsh or fish"
        ),
        "plan": Entry("rnnxai.cli.plan:arguments", "say what a study will take before it is started"),
        "doctor": Entry("rnnxai.cli.doctor:arguments", "look whether everything is there that a study needs"),
    },
)
