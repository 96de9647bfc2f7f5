"""What recipes are made of, by name: options model, and dotted path of its factory.

What a factory is called with: a schedule's ``(options, epochs, steps)``, a form's ``(network,
options)``, an optimiser's ``(network, rate, options)``, those of terms, hooks and paths ``(setting,
options)``; see ``training/setting.py``.
"""

from autodl.config.components import Entry

_PARTS = "autodl.recipes.parts"
_NONE = "autodl.config.sections:NoOptions"

SCHEDULES = {
    "cosine": Entry(f"{_PARTS}:FallingRateOptions", "autodl.recipes.schedules:cosine"),
    "linear": Entry(f"{_PARTS}:FallingRateOptions", "autodl.recipes.schedules:linear"),
    "step": Entry(f"{_PARTS}:RateOptions", "autodl.recipes.schedules:step"),
    "constant": Entry(f"{_PARTS}:RateOptions", "autodl.recipes.schedules:constant"),
}

OPTIMISERS = {
    "SGD": Entry(f"{_PARTS}:SGDOptions", "autodl.training.optimisers.sgd:sgd"),
    "AdamW": Entry(f"{_PARTS}:AdamWOptions", "autodl.training.optimisers.adamw:adamw"),
}

FORMS = {
    "none": Entry(_NONE, "autodl.reparam.training_form:plain"),
    "acb": Entry(f"{_PARTS}:ScaleOptions", "autodl.reparam.training_form:asymmetric"),
    "dbb": Entry(_NONE, "autodl.reparam.training_form:diverse"),
    "repvgg": Entry(_NONE, "autodl.reparam.training_form:repvgg"),
}

TERMS = {
    "Auxiliary": Entry(f"{_PARTS}:WeightOptions", "autodl.training.terms.auxiliary:Auxiliary"),
    "Rademacher": Entry(f"{_PARTS}:WeightOptions", "autodl.training.terms.rademacher:Rademacher"),
}

HOOKS = {
    "Whitening": Entry(_NONE, "autodl.training.hooks.whitening:Whitening"),
    "DropPath": Entry(f"{_PARTS}:DropOptions", "autodl.training.hooks.drop_path:DroppedEdges"),
    "GrowingPictures": Entry(_NONE, "autodl.training.hooks.growing_pictures:GrowingPictures"),
    "Averaging": Entry(f"{_PARTS}:AverageOptions", "autodl.training.hooks.averaging:Averaging"),
    "ProjectionDescent": Entry(
        "autodl.supernets.width.options:DescentOptions",
        "autodl.supernets.width.transition:AnnealedProjections",
    ),
}

PATHS = {
    "Controller": Entry(
        "autodl.supernets.width.options:PathOptions",
        "autodl.supernets.width.transition:ControlledWidths",
    ),
}
