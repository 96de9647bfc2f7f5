"""Every score that needs no training, by name: options model, and dotted path of its factory."""

from autodl.config.components import Entry

_HERE = "autodl.evaluation.zero_cost"
_NONE = "autodl.config.sections:NoOptions"

SCORES = {
    "naswot": Entry(_NONE, f"{_HERE}.naswot:Naswot"),
    "jacobian": Entry(_NONE, f"{_HERE}.jacobian:Jacobian"),
    "synflow": Entry(_NONE, f"{_HERE}.synflow:SynFlow"),
    "snip": Entry(_NONE, f"{_HERE}.gradients:Snip"),
    "grad_norm": Entry(_NONE, f"{_HERE}.gradients:GradientNorm"),
    "zico": Entry(_NONE, f"{_HERE}.zico:Zico"),
    "macs": Entry(_NONE, f"{_HERE}.costs:Macs"),
    "parameters": Entry(_NONE, f"{_HERE}.costs:Parameters"),
}
