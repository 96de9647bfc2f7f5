"""Every evaluator by name: options model, and dotted path of its factory."""

from autodl.config.components import Entry

EVALUATORS = {
    "Angle": Entry(
        "autodl.evaluation.options:AngleOptions",
        "autodl.evaluation.angle:Angle",
        trains=True,
        quality="angle",
    ),
    "SharedWeights": Entry(
        "autodl.evaluation.options:SharedWeightsOptions",
        "autodl.evaluation.shared_weights:SharedWeights",
        trains=True,
    ),
    "TrainEvaluator": Entry(
        "autodl.evaluation.options:TrainingOptions",
        "autodl.evaluation.train_evaluator:TrainEvaluator",
        trains=True,
    ),
    "TableEvaluator": Entry(
        "autodl.evaluation.options:TableOptions",
        "autodl.evaluation.table:TableEvaluator",
        quality="accuracy",
    ),
    "TargetMatch": Entry(
        "autodl.evaluation.options:TargetMatchOptions",
        "autodl.evaluation.synthetic:TargetMatch",
    ),
    "TokenCount": Entry(
        "autodl.evaluation.options:TokenCountOptions", "autodl.evaluation.synthetic:TokenCount"
    ),
    "ZeroCost": Entry(
        "autodl.evaluation.options:ZeroCostOptions",
        "autodl.evaluation.zero_cost.scorer:ZeroCost",
        trains=True,
        quality="score",
    ),
}
