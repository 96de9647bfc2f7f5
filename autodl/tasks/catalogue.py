"""What can be learned, by the name of its examples: options model, and what reads them."""

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
