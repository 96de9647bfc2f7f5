from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linprog

from autodl.plans.layers import (
    Add,
    BatchNorm,
    Concat,
    Conv,
    Flatten,
    GlobalAvgPool,
    Linear,
    MaxPool,
    Relu,
)
from autodl.plans.plan import PlanBuilder
from autodl.spaces.cell.plan import cell_plan
from autodl.spaces.cell.space import CellSpace
from autodl.strategies.surrogate.transport.otmann import (
    NEVER,
    Node,
    distance,
    distances,
    label_costs,
    nodes_of,
    profile,
    profile_of,
    structure_costs,
)


def conv(builder, x, name, units, size=3, groups=1):
    pad = size // 2
    layer = Conv(builder.shape(x)[0], units, (size, size), (1, 1), (pad,) * 4, groups=groups)
    return builder.add(name, layer, x)


def chain(*convs, split=False):
    """ip, convolutions (units, size), max pool, fc 64, softmax, op; on one-channel pictures."""
    builder, x = PlanBuilder((1, 8, 8)), 0
    for number, (units, size) in enumerate(convs):
        if split and number == 1:
            halves = [conv(builder, x, f"half{half}", units // 2, size) for half in range(2)]
            x = builder.add("both", Concat(), *halves)
        else:
            x = conv(builder, x, f"conv{number}", units, size)
            x = builder.add(
                f"relu{number}", Relu(), builder.add(f"norm{number}", BatchNorm(units), x)
            )
    x = builder.add("pool", MaxPool((2, 2), (2, 2)), x)
    x = builder.add("row", Flatten(), x)
    x = builder.add("fc", Linear(builder.shape(x)[0], 64), x)
    builder.add("classes", Linear(64, 10), x)
    return builder.finish()


A = chain((16, 3), (32, 3))
B = chain((16, 3), (32, 5))
C = chain((16, 3), (32, 3), (32, 3))
D = chain((16, 3), (32, 3), split=True)


@pytest.mark.parametrize(
    "plan, expected",
    [
        (A, [100, 16, 512, 32, 204.8, 100, 100]),
        (D, [100, 16, 256, 256, 32, 204.8, 100, 100]),
        (C, [178.88, 16, 512, 1024, 32, 204.8, 178.88, 178.88]),
    ],
    ids=["a", "d", "c"],
)
def test_masses(plan, expected):
    assert [node.mass for node in nodes_of(plan)] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    "first, second, expected",
    [(A, B, 102.4), (A, C, 1393.74), (B, C, 1496.14), (A, D, 0.0), (A, A, 0.0)],
    ids=["a-b", "a-c", "b-c", "a-d", "a-a"],
)
def test_published_rule_on_four_networks(first, second, expected):
    """a-d: halves side by side are not seen, so this is a pseudo-metric."""
    # the fixtures have two digits
    assert distance(profile(first), profile(second)) == pytest.approx(expected, abs=5.1e-3)


@pytest.mark.parametrize("first, second, expected", [(A, B, 0.048084), (A, C, 0.411104)])
def test_normalised(first, second, expected):
    one, other = profile(first), profile(second)
    found = distance(one, other) / (one.mass + other.mass)
    assert found == pytest.approx(expected, abs=5e-7)


def test_labels():
    found = label_costs(profile(A), profile(B))
    assert found[2, 2] == pytest.approx(0.2)  # conv 3 - conv 5
    assert found[0, 0] == found[3, 3] == found[4, 4] == 0
    assert found[3, 4] == found[0, 6] == NEVER
    pools = [
        profile_of([Node("ip", 100, ()), Node(kind, 9, (0,)), Node("op", 100, (1,))])
        for kind in ("max_pool", "avg_pool")
    ]
    assert label_costs(*pools)[1, 1] == 0.5
    assert distance(*pools) == pytest.approx(4.5)


def test_structure_of_a_chain():
    """From the pool of ``a`` to the output: 3 layers, no convolution, a pool and an fc."""
    down, up = profile(A).paths[3].reshape(2, 4, 3)
    assert down.tolist() == [[3] * 3, [0] * 3, [1] * 3, [1] * 3]
    assert up.tolist() == [[3] * 3, [2] * 3, [1] * 3, [0] * 3]
    assert structure_costs(profile(A), profile(A)).diagonal().tolist() == [0] * 7


def test_shortest_longest_and_random_path():
    """A convolution and a way around it: 1 or 2 layers to the output, 1.5 at random."""
    nodes = [Node("ip", 1, ()), Node("conv", 1, (0,), 3), Node("op", 1, (0, 1))]
    down = profile_of(nodes).paths[0].reshape(2, 4, 3)[0]
    assert down[0].tolist() == [1, 2, 1.5]
    assert down[1].tolist() == [0, 1, 0.5]


def test_what_has_no_mass_hands_on_what_it_reads():
    builder = PlanBuilder((3, 8, 8))
    first = conv(builder, 0, "first", 8)
    second = conv(builder, builder.add("relu", Relu(), first), "second", 8, groups=8)
    both = builder.add("sum", Add(), first, second)
    x = builder.add("mean", GlobalAvgPool(), both)
    builder.add("classes", Linear(8, 10), x)
    nodes = nodes_of(builder.finish())
    assert [(node.kind, node.parents) for node in nodes] == [
        ("ip", ()),
        ("conv", (0,)),
        ("conv", (1,)),
        ("avg_pool", (1, 2)),
        ("decision", (3,)),
        ("op", (4,)),
    ]
    assert [node.mass for node in nodes[1:4]] == [8, 8, 8]  # depthwise: 8 x 8 / 8


def random_networks(count):
    """Layers of all kinds, each reading one or two earlier ones."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(count):
        nodes = [Node("ip", float(rng.uniform(50, 150)), ())]
        for here in range(1, int(rng.integers(4, 10))):
            kind = str(rng.choice(["conv", "conv", "max_pool", "avg_pool", "fc"]))
            parents = tuple(sorted({here - 1, int(rng.integers(here))}))
            kernel = float(rng.choice([1, 3, 5, 7])) if kind == "conv" else 0.0
            nodes.append(Node(kind, float(rng.uniform(1, 500)), parents, kernel))
        found.append([*nodes, Node("op", 100.0, (len(nodes) - 1,))])
    return found


NETWORKS = [profile_of(nodes) for nodes in random_networks(12)]
MATRIX = np.array([[distance(one, other) for other in NETWORKS] for one in NETWORKS])


def linear_program(one, other, weight):
    """The paper's own form: inequalities on what leaves and arrives, and what stays behind."""
    n, m = len(one.masses), len(other.masses)
    costs = np.minimum(label_costs(one, other) + weight * structure_costs(one, other), NEVER)
    leaves = np.kron(np.eye(n), np.ones(m))
    arrives = np.kron(np.ones(n), np.eye(m))
    # each unit that is moved no longer stays behind, here and there
    found = linprog(
        (costs - 2).ravel(),
        A_ub=np.concatenate([leaves, arrives]),
        b_ub=np.concatenate([one.masses, other.masses]),
        method="highs",
    )
    return found.fun + one.mass + other.mass


@pytest.mark.parametrize("weight", [0.1, 1.5])
def test_it_is_the_optimum_of_the_linear_program(weight):
    for one, other in [(NETWORKS[0], NETWORKS[1]), (NETWORKS[3], NETWORKS[7])]:
        expected = linear_program(one, other, weight)
        # both solvers are exact: rounding of sums of a few hundred
        assert distance(one, other, weight) == pytest.approx(expected, rel=1e-11)


def test_axioms():
    masses = np.array([network.mass for network in NETWORKS])
    # rounding of sums of some thousand
    np.testing.assert_allclose(MATRIX, MATRIX.T, atol=1e-9)
    np.testing.assert_allclose(MATRIX.diagonal(), 0, atol=1e-9)
    for table in (MATRIX, MATRIX / np.add.outer(masses, masses)):
        detours = table[:, :, None] + table[None]  # from i by j to k
        assert (table[:, None, :] <= detours + 1e-9).all()


def test_several_weights_are_one_call_and_the_distance_rises_with_them():
    found = distances(NETWORKS[0], NETWORKS[1], (0.1, 0.5, 1.5))
    assert found[1] == distance(NETWORKS[0], NETWORKS[1])
    assert (np.diff(found) >= 0).all()


def test_the_order_in_which_layers_are_written_does_not_count():
    """Two branches, exchanged."""
    nodes = random_networks(1)[0][:1]
    left, right = Node("conv", 30.0, (0,), 3), Node("max_pool", 7.0, (0,))
    ends = [Node("fc", 9.0, (1, 2)), Node("op", 100.0, (3,))]
    one, other = ([*nodes, *pair, *ends] for pair in ((left, right), (right, left)))
    for network in NETWORKS[:3]:
        expected = distance(profile_of(one), network)
        assert distance(profile_of(other), network) == pytest.approx(expected, rel=1e-12)


def test_exp_of_minus_the_distance_is_a_kernel_here_and_of_its_square_is_none():
    """Why the Gram matrix of NASBOT is projected."""
    scaled = MATRIX / MATRIX.mean() / 4
    lowest = [np.linalg.eigvalsh(np.exp(-(scaled**power))).min() for power in (1, 2)]
    assert lowest[0] > 1e-3
    assert lowest[1] < -1e-6


def test_twins_of_cells_are_at_no_distance():
    space = CellSpace(nodes=3)
    rng = np.random.default_rng(3)
    pairs = [space.sample(rng) for _ in range(6)]
    for pair in pairs:
        plans = [
            cell_plan(form, width=8, stages=2, cells_per_stage=1)
            for form in (pair, space.canonical(pair))
        ]
        assert distance(*map(profile, plans)) == pytest.approx(0, abs=1e-6)
