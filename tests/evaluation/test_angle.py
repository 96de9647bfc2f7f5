"""Searches by angle, of a supernet that was trained on random labels: no label is read."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

import numpy as np
import paddle
import pytest

from autodl.data.dataset import Pictures
from autodl.evaluation.angle import Angle
from autodl.jobs.search.parts import load_search
from autodl.jobs.search.run import run_search
from autodl.jobs.supernet.run import run_supernet
from autodl.recipes.options import TrainOptions
from autodl.spaces.edge_cell.plan import edge_cell_plan
from autodl.spaces.edge_cell.space import EdgeCellSpace
from autodl.supernets.single_path.config import load_supernet_config
from autodl.supernets.single_path.folder import load_supernet
from autodl.supernets.single_path.statistics import estimate_statistics
from autodl.tasks.load import load_task
from autodl.training.goal import score

COMMON = """
Global: {seed: 3, device: cpu}
Space: {name: EdgeCellSpace}
Network: {name: EdgeCellNetwork, width: 4, cells: 1}
Data: {name: cifar10-mini, image_size: 8, train: 200}
"""
TRAIN = "Train: {epochs: 3, batch_size: 20, learning_rate: 0.1, pad_crop: 1}\n"
SEARCH = """
Search: {max_trials: 3, executor: inline}
Strategy: {name: RandomSearch}
"""
PLAN = partial(edge_cell_plan, image_size=8, width=4, cells=1)
ROWS = np.random.default_rng(0).integers(1, 5, size=(12, 6))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("supernet")
    path = folder / "tiny.yaml"
    path.write_text(COMMON + TRAIN)
    config = load_supernet_config(path, ["Data.random_labels=0"])
    run_supernet(config, folder / "run")
    return folder / "run", load_task(config.data)


def poisoned(pictures):
    """Other pictures with another label."""
    return Pictures(255 - pictures.images, np.full(len(pictures), 9_999))


class Unread:
    """A task whose examples nobody may have."""

    def __init__(self, task):
        self.signature, self.examples, self.identity = task.signature, task.examples, task.identity


def angles(run, task):
    evaluate, space = Angle(task, PLAN, TrainOptions(), run=run), EdgeCellSpace()
    return [evaluate(space.decode(row), np.random.default_rng()).reward for row in ROWS]


def test_no_picture_and_no_label_is_read(trained):
    folder, task = trained
    wanted = angles(folder, task)
    assert len(set(wanted)) > 6
    other = replace(task, train=poisoned(task.train), held_out=poisoned(task.held_out))
    assert angles(folder, other) == wanted == angles(folder, Unread(task))


def test_a_search_needs_the_same_pictures_and_no_random_labels(trained, tmp_path):
    folder, task = trained
    path = tmp_path / "search.yaml"
    path.write_text(COMMON + SEARCH + f"Evaluator: {{name: Angle, run: {folder}}}\n")
    result = run_search(load_search(path), tmp_path / "out")
    looked_up = Angle(task, PLAN, TrainOptions(), run=folder)
    cell = result.best.architecture
    assert looked_up(cell, np.random.default_rng()).reward == result.best.reward > 0


def test_random_labels_cannot_be_known_before_and_teach_nothing(trained):
    """The first loss is that of guesses, about ln C; the last accuracy on true labels is 1 / C."""
    folder, task = trained
    pictures = [paddle.to_tensor(next(task.batches("train", 200)).inputs)]
    supernets = [load_supernet(folder, task, PLAN, first=one) for one in (True, False)]
    excess, differences, right = [], [], []
    for row in ROWS[:4]:
        first, last = (supernet.alone(row) for supernet in supernets)
        for network in (first, last):
            estimate_statistics(network, pictures)
        with paddle.no_grad():
            log_p = paddle.nn.functional.log_softmax(first(pictures[0])).numpy()
        guessing = -log_p.mean()  # of labels that are independent of the pictures
        excess.append(guessing - math.log(10))
        differences.append(score(first, task, "train").loss - guessing)
        right.append(score(last, task, "held_out").value)
    # logits of deviation s add s^2 / 2; those of a fresh classifier of 16 features have about 0.7
    assert min(excess) >= 0
    assert max(excess) < 0.5
    # 200 labels, each with a loss of deviation 0.7: three deviations of their mean
    assert max(map(abs, differences)) < 3 * 0.7 / math.sqrt(200)
    # 200 pictures: three deviations of the accuracy of guesses
    assert max(abs(value - 0.1) for value in right) < 3 * math.sqrt(0.1 * 0.9 / 200)
