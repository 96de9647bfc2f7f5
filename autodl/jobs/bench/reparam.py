"""How much faster the deployed form is than the one that was trained."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from autodl.networks.inference import InferenceEngine, Runner, eager, save_inference, time_runners
from autodl.networks.network import PlanNetwork
from autodl.plans.fused import fused_plan
from autodl.plans.plan import Plan
from autodl.reparam.fusion import fuse
from autodl.reparam.replacement import replace_convolutions
from autodl.spaces.classic.cifar_quick import cifar_quick_plan
from autodl.spaces.classic.repvgg import repvgg_plan

NETWORKS: Mapping[str, tuple[Plan, str]] = {
    "cifar_quick_dbb": (cifar_quick_plan(), "dbb"),
    "small_repvgg": (
        repvgg_plan(classes=10, image_size=32, layers=(1, 2, 4, 1), width=0.5, cifar=True),
        "repvgg",
    ),
}


def reparam(*, repetitions: int = 30) -> dict[str, Any]:
    """Latency of the trained and the fused form on random pictures of 32x32, batch 1 and 64.

    ``eager`` calls the layers one by one, ``inference`` is Paddle's inference engine with oneDNN,
    ``built_plain`` a network that never had branches, eager. Medians and quartiles, in
    milliseconds for the batch, and the speed-up of fusing by the medians. ``small_repvgg`` is
    RepVGG A0 of half the width with fewer layers, in the CIFAR variant.
    """
    numbers: dict[str, Any] = {"repetitions": repetitions}
    for name, (plan, block) in NETWORKS.items():
        with TemporaryDirectory() as folder:
            runners = _runners(plan, block, Path(folder))
            measured = time_runners(runners, plan.input_shape, repetitions=repetitions)
        for batch_size in (1, 64):
            at = f"{name}_batch_{batch_size}"
            found = {form: row[batch_size] for form, row in measured.items()}
            for form, latency in found.items():
                quartiles = (latency.low, latency.median, latency.high)
                numbers[f"{at}_{form}_ms"] = [round(value, 3) for value in quartiles]
            for way in ("eager", "inference"):
                ratio = found[f"trained_{way}"].median / found[f"fused_{way}"].median
                numbers[f"{at}_{way}_speedup"] = round(ratio, 2)
    return numbers


def _runners(plan: Plan, block: str, folder: Path) -> dict[str, Runner]:
    network = PlanNetwork(plan, seed=0)
    replace_convolutions(network, block)
    network.eval()
    forms = {"trained": network, "fused": fuse(network)}
    runners = {f"{name}_eager": eager(form) for name, form in forms.items()}
    runners["built_plain_eager"] = eager(PlanNetwork(fused_plan(plan), seed=0))
    for name, form in forms.items():
        files = save_inference(form, folder / name, plan.input_shape)
        runners[f"{name}_inference"] = InferenceEngine(folder, *files, plan.input_shape)
    return runners
