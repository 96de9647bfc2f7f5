"""What recipes are made of, by name: options model, and dotted path of its factory.

What a factory is called with: a whole recipe's ``(options, batch)``, which gives keys of ``Train``,
a schedule's ``(options, epochs, steps)``, a form's ``(network,
options)``, an optimiser's ``(network, rate, options)``, those of terms, hooks and paths ``(setting,
options)``; see ``training/setting.py``.
"""

from autodl.config.components import Entry

_PARTS = "autodl.recipes.parts"
_NONE = "autodl.config.sections:NoOptions"

RECIPES = {
    "fast": Entry(f"{_PARTS}:FastOptions", "autodl.recipes.fast:fast"),
    "fast-muon": Entry(f"{_PARTS}:FastMuonOptions", "autodl.recipes.fast:fast_muon"),
}

SCHEDULES = {
    "cosine": Entry(f"{_PARTS}:FallingRateOptions", "autodl.recipes.schedules:cosine"),
    "linear": Entry(f"{_PARTS}:FallingRateOptions", "autodl.recipes.schedules:linear"),
    "triangle": Entry(f"{_PARTS}:TriangleOptions", "autodl.recipes.schedules:triangle"),
    "step": Entry(f"{_PARTS}:RateOptions", "autodl.recipes.schedules:step"),
    "constant": Entry(f"{_PARTS}:RateOptions", "autodl.recipes.schedules:constant"),
}

OPTIMISERS = {
    "SGD": Entry(f"{_PARTS}:SGDOptions", "autodl.training.optimisers.sgd:sgd"),
    "Muon": Entry(f"{_PARTS}:MuonOptions", "autodl.training.optimisers.muon:muon"),
    "AdamW": Entry(f"{_PARTS}:AdamWOptions", "autodl.training.optimisers.adamw:adamw"),
}

FORMS = {
    "none": Entry(_NONE, "autodl.reparam.training_form:plain"),
    "acb": Entry(f"{_PARTS}:ScaleOptions", "autodl.reparam.training_form:asymmetric"),
    "dbb": Entry(_NONE, "autodl.reparam.training_form:diverse"),
    "repvgg": Entry(_NONE, "autodl.reparam.training_form:repvgg"),
    "branches": Entry(f"{_PARTS}:BranchesOptions", "autodl.reparam.training_form:branched"),
}

TERMS = {
    "Auxiliary": Entry(f"{_PARTS}:WeightOptions", "autodl.training.terms.auxiliary:Auxiliary"),
    "Distillation": Entry(
        f"{_PARTS}:DistillationOptions", "autodl.release.distillation:Distillation"
    ),
    "Rademacher": Entry(f"{_PARTS}:WeightOptions", "autodl.training.terms.rademacher:Rademacher"),
    "RepVGGL2": Entry(f"{_PARTS}:WeightOptions", "autodl.reparam.repvgg_l2:RepVGGL2"),
}

HOOKS = {
    "UniformStart": Entry(_NONE, "autodl.training.hooks.uniform_start:UniformStart"),
    "DiracStart": Entry(_NONE, "autodl.training.hooks.dirac_start:DiracStart"),
    "Whitening": Entry(f"{_PARTS}:WhiteningOptions", "autodl.training.hooks.whitening:Whitening"),
    "BatchNorms": Entry(
        f"{_PARTS}:BatchNormsOptions", "autodl.training.hooks.batch_norms:BatchNorms"
    ),
    "Lookahead": Entry(f"{_PARTS}:LookaheadOptions", "autodl.training.hooks.lookahead:Lookahead"),
    "DropPath": Entry(f"{_PARTS}:DropOptions", "autodl.training.hooks.drop_path:DroppedEdges"),
    "GrowingPictures": Entry(_NONE, "autodl.training.hooks.growing_pictures:GrowingPictures"),
    "Averaging": Entry(f"{_PARTS}:AverageOptions", "autodl.training.hooks.averaging:Averaging"),
    "ReleasedStart": Entry(f"{_PARTS}:ReleasedStartOptions", "autodl.release.start:ReleasedStart"),
    "ProjectionDescent": Entry(
        "autodl.supernets.width.options:DescentOptions",
        "autodl.supernets.width.transition:AnnealedProjections",
    ),
    "Shrinking": Entry(
        "autodl.supernets.single_path.options:ShrinkingOptions",
        "autodl.supernets.single_path.shrinking:Shrinking",
    ),
}

PATHS = {
    "Controller": Entry(
        "autodl.supernets.width.options:PathOptions",
        "autodl.supernets.width.transition:ControlledWidths",
    ),
    "CostUniform": Entry(
        "autodl.supernets.single_path.options:CostUniformOptions",
        "autodl.supernets.single_path.sampling:CostUniform",
    ),
    "Fair": Entry(_NONE, "autodl.supernets.single_path.sampling:Fair"),
    "Relaxed": Entry(
        "autodl.supernets.relaxed.options:RelaxedOptions",
        "autodl.supernets.relaxed.path:Relaxed",
    ),
    "Uniform": Entry(_NONE, "autodl.supernets.single_path.sampling:Uniform"),
}
