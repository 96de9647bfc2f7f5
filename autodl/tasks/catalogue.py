"""What can be learned, by the name of its examples: options model, and what reads them.

And the goals that tasks name, which take no options: a factory is called with ``label_smoothing``,
and refuses it if it is not 0 and means nothing there; see ``training/goal.py``.
"""

from autodl.config.components import Entry

_PICTURES = Entry("autodl.data.options:DataOptions", "autodl.tasks.pictures:load_pictures")

TASKS = {
    "cifar10": _PICTURES,
    "cifar100": _PICTURES,
    "folder": _PICTURES,
    "npz": _PICTURES,
    "cifar10-mini": _PICTURES,
    "SequenceClassification": Entry(
        "autodl.tasks.options:SequenceClassificationOptions",
        "autodl.tasks.sequences:load_classification",
    ),
    "NextValue": Entry(
        "autodl.tasks.options:NextValueOptions", "autodl.tasks.next_value:load_next"
    ),
}

_NONE = "autodl.config.sections:NoOptions"

GOALS = {
    "classification": Entry(_NONE, "autodl.training.goals.classification:Classification"),
    "regression": Entry(_NONE, "autodl.training.goals.regression:Regression"),
}
