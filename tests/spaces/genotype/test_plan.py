"""Networks of genotypes as plans: the original's counts, and where everything stands."""

from __future__ import annotations

from dataclasses import replace

import pytest

from autodl.errors import ConfigError, UnknownNameError
from autodl.plans.layers import AvgPool, BatchNorm, Conv, DropPath, Linear, Relu
from autodl.spaces.genotype import plan as module
from autodl.spaces.genotype.architecture import (
    OPERATIONS,
    Genotype,
    GenotypeCell,
    published_genotypes,
)
from autodl.spaces.genotype.plan import auxiliary_plan, genotype_plan, published_genotype_plan

ALL = GenotypeCell(
    tuple((name, number % 2) for number, name in enumerate(OPERATIONS)), (2, 3, 4, 5, 6)
)


@pytest.mark.parametrize(
    "name, alone, with_auxiliary",
    [
        ("DARTS_V1", 3_169_414, 3_645_840),
        ("DARTS_V2", 3_349_342, 3_825_768),  # the first is also the published figure
        ("NASNet-A", 3_830_950, 4_288_944),
        ("LRC_0", 3_529_270, 4_005_696),
        ("LRC_1", 2_657_926, 3_134_352),
        ("LRC_2", 2_653_822, 3_130_248),
    ],
)
def test_parameters_equal_those_of_the_originals_code(name, alone, with_auxiliary):
    plan = published_genotype_plan(genotype=name)
    assert plan.parameters == alone
    assert plan.parameters + plan.auxiliary.plan.parameters == with_auxiliary


def counted(genotype, channels=36, layers=20, classes=10):
    """Parameters by DARTS's formulas, without a plan: the network's, and with its auxiliary's."""

    def of_edge(name, width, halves):
        if "pool" in name or (name == "skip_connect" and not halves):
            return 0
        size = int(name[-1]) if name[-1].isdigit() else 1
        depthwise = size * size * width + width * width + 2 * width
        if name.startswith("sep_conv"):
            return 2 * depthwise
        if name.startswith("dil_conv"):
            return depthwise
        if name.startswith("conv_"):  # 7x1 behind 1x7
            return 2 * int(name[5]) * width * width + 2 * width
        return width * width + 2 * width  # a skip that halves: two of half the width

    width, before, last = channels, 3 * channels, 3 * channels
    total, auxiliary = 27 * last + 2 * last, 0  # the stem
    for number in range(layers):
        halves = number in (layers // 3, 2 * layers // 3)
        width *= 2 if halves else 1
        cell = genotype.reduce if halves else genotype.normal
        total += (before + last) * width + 4 * width
        total += sum(of_edge(name, width, halves and node < 2) for name, node in cell.edges)
        before, last = last, width * len(cell.concat)
        if number == 2 * layers // 3:
            auxiliary = last * 128 + 256 + 128 * 768 * 4 + 2 * 768 + 769 * classes
    total += (last + 1) * classes
    return total, total + auxiliary


@pytest.mark.parametrize("name", published_genotypes())
def test_parameters_by_another_count(name):
    plan = published_genotype_plan(genotype=name)
    both = plan.parameters + plan.auxiliary.plan.parameters
    assert (plan.parameters, both) == counted(published_genotypes()[name].genotype)


@pytest.mark.parametrize("name", published_genotypes())
def test_every_published_genotype_makes_a_network(name):
    """Maps of 32, 16 and 8; the auxiliary classifier reads the second reduction cell."""
    plan = published_genotype_plan(genotype=name, channels=4, layers=6, classes=7)
    shapes = {record.name: record.shape for record in plan.records}
    nodes = published_genotypes()[name].genotype.normal.concat
    assert shapes["stem.norm"] == (12, 32, 32)
    sizes = [shapes[f"cell{number}.concat"] for number in range(6)]
    assert [size[1:] for size in sizes] == [(32, 32)] * 2 + [(16, 16)] * 2 + [(8, 8)] * 2
    assert [size[0] for size in sizes[1::2]] == [len(nodes) * channels for channels in (4, 8, 16)]
    assert plan.output_shape == plan.auxiliary.plan.output_shape == (7,)
    assert plan.records[plan.auxiliary.source].name == "cell4.concat"


@pytest.mark.parametrize(
    "layers, reductions", [(1, [0]), (2, [0, 1]), (3, [1, 2]), (5, [1, 3]), (20, [6, 13])]
)
def test_which_cells_reduce(layers, reductions):
    plan = published_genotype_plan(genotype="DARTS_V2", channels=2, layers=layers)
    shapes = {record.name: record.shape for record in plan.records}
    sizes = [shapes[f"cell{number}.concat"][1] for number in range(layers)]
    before = [32, *sizes[:-1]]
    assert [n for n, (a, b) in enumerate(zip(before, sizes, strict=True)) if b < a] == reductions


def test_every_operation_layer_by_layer():
    """Convolutions and batch-norms of each kind of edge in a cell that reduces, by hand."""
    plan = genotype_plan(Genotype(ALL, ALL), channels=4, layers=1)
    found = {number: [] for number in range(len(OPERATIONS))}
    for record in plan.records:
        if record.name.startswith("cell0.edge"):
            kind = record.layer
            word = type(kind).__name__
            if isinstance(kind, Conv):
                word = f"{kind.kernel[0]}x{kind.kernel[1]}/{kind.stride[0]}{kind.stride[1]}"
                word += f" of {kind.groups}" if kind.groups > 1 else ""
                word += f" by {kind.dilation[0]}" if kind.dilation != (1, 1) else ""
                assert not kind.bias
            elif isinstance(kind, BatchNorm):
                assert (kind.momentum, kind.epsilon) == (0.9, 1e-5)
            elif isinstance(kind, AvgPool):
                assert not kind.count_padding
            found[int(record.name[10:].split(".")[0])].append(word)
    separable = ["Relu", "{}/22 of 8", "1x1/11", "BatchNorm", "Relu", "{}/11 of 8", "1x1/11"]
    separable += ["BatchNorm", "DropPath"]
    dilated = ["Relu", "{}/22 of 8 by 2", "1x1/11", "BatchNorm", "DropPath"]
    expected = {
        "skip_connect": ["Relu", "1x1/22", "Crop", "1x1/22", "Concat", "BatchNorm", "DropPath"],
        "max_pool_3x3": ["MaxPool", "DropPath"],
        "avg_pool_3x3": ["AvgPool", "DropPath"],
        "conv_3x1_1x3": ["Relu", "1x3/12", "3x1/21", "BatchNorm", "DropPath"],
        "conv_7x1_1x7": ["Relu", "1x7/12", "7x1/21", "BatchNorm", "DropPath"],
    }
    for size in ("3x3", "5x5", "7x7"):
        expected[f"sep_conv_{size}"] = [word.format(size) for word in separable]
        expected[f"dil_conv_{size}"] = [word.format(size) for word in dilated]
    for number, operation in enumerate(OPERATIONS):
        assert found[number] == expected[operation], operation
    assert set(module._BUILD) == set(OPERATIONS)


def test_all_edges_but_identities_can_be_dropped():
    plan = published_genotype_plan(genotype="LRC_2", channels=2, layers=3)
    drops = [r.name for r in plan.records if isinstance(r.layer, DropPath)]
    expected = [f"cell0.edge{number}.drop" for number in (0, 3, 5, 7)]
    expected += [f"cell1.edge{number}.drop" for number in (0, 1, 2, 4)]
    assert [name for name in drops if name < "cell2"] == expected
    for record in plan.records:  # they stand right before the sum
        if ".node" in record.name:
            ends = [plan.records[position] for position in record.inputs]
            assert all(
                isinstance(end.layer, DropPath) or not end.name.count(".edge") for end in ends
            )


def test_the_input_behind_a_reduction_is_halved_in_two_parts():
    plan = published_genotype_plan(genotype="DARTS_V1", channels=4, layers=6)
    names = [r.name for r in plan.records if ".entry0." in r.name and r.name.endswith("norm")]
    halved = [name for name in names if "halve" in name]
    assert halved == ["cell3.entry0.halve.norm", "cell5.entry0.halve.norm"]
    assert len(names) == 6
    assert not any("entry1.halve" in record.name for record in plan.records)


def test_the_stem_for_large_pictures():
    """Three convolutions that halve; the first cell reads two sizes, as behind a reduction."""
    plan = published_genotype_plan(
        genotype="LRC_1", channels=6, layers=6, classes=7, image_size=320, stem="imagenet"
    )
    shapes = {record.name: record.shape for record in plan.records}
    assert shapes["stem0.first.norm"] == (3, 160, 160)
    assert shapes["stem0.second.norm"] == (6, 80, 80)
    assert shapes["stem1.norm"] == (6, 40, 40)
    by_name = {record.name: record for record in plan.records}
    reads = [plan.records[i].name for i in by_name["stem1.relu"].inputs]
    assert reads == ["stem0.second.norm"]  # its ReLU stands before its convolution
    names = [r.name for r in plan.records if ".entry0." in r.name and r.name.endswith("norm")]
    assert [name for name in names if "halve" in name] == [
        f"cell{number}.entry0.halve.norm" for number in (0, 3, 5)
    ]
    assert [shapes[f"cell{number}.concat"][1] for number in range(6)] == [40, 40, 20, 20, 10, 10]
    assert not any(record.name.startswith("stem.") for record in plan.records)
    head = plan.auxiliary.plan
    assert [record.name for record in head.records if isinstance(record.layer, BatchNorm)] == [
        "narrow.norm"
    ]
    assert head.output_shape == (7,)


def test_darts_on_imagenet_has_the_published_size():
    """4.7 million parameters (DARTS, table 2): 48 channels and 14 cells; counted by hand, too.

    Beside what every cell has: the stem, and a first cell whose first entry has two halves.
    """
    plan = published_genotype_plan(
        genotype="DARTS_V2", channels=48, layers=14, classes=1000, image_size=224, stem="imagenet"
    )
    small, _ = counted(
        published_genotypes()["DARTS_V2"].genotype, channels=48, layers=14, classes=1000
    )
    stem = 27 * 24 + 2 * 24 + 9 * 24 * 48 + 2 * 48 + 9 * 48 * 48 + 2 * 48
    others = 27 * 144 + 2 * 144 + 3 * 96 * 48  # a stem of 144, which three entries read
    assert plan.parameters == small - others + stem
    assert plan.parameters == pytest.approx(4.7e6, abs=0.05e6)
    assert plan.auxiliary.plan.output_shape == (1000,)  # of maps of 7x7
    assert plan.auxiliary.plan.parameters == 768 * 128 + 256 + 128 * 768 * 4 + 769 * 1000
    assert published_genotype_plan(image_size=192, layers=3, stem="imagenet").auxiliary is None
    with pytest.raises(ConfigError, match="stem imagenet halves its pictures 5 times"):
        published_genotype_plan(image_size=48, stem="imagenet")


def test_convolutions_are_drawn_as_lrc_draws_them():
    """sqrt(2 / fan-out), of depthwise ones the fan-out of all channels; nothing else differs."""
    sizes = {"genotype": "LRC_1", "channels": 4, "layers": 3}
    plain, drawn = (published_genotype_plan(**sizes, init=init) for init in ("he", "lrc"))
    pairs = [(plain, drawn), (plain.auxiliary.plan, drawn.auxiliary.plan)]
    for one, two in pairs:
        for before, after in zip(one.records, two.records, strict=True):
            layer = after.layer
            if isinstance(layer, Conv):
                fan_out = layer.out_channels * layer.kernel[0] * layer.kernel[1]
                assert layer.weight_std == pytest.approx((2 / fan_out) ** 0.5, rel=1e-12)
                assert before.layer.weight_std is None
                layer = replace(layer, weight_std=None)
            assert (before.name, before.layer, before.inputs) == (after.name, layer, after.inputs)
    assert plain.auxiliary.source == drawn.auxiliary.source
    assert any(r.layer.groups > 1 for r in drawn.records if isinstance(r.layer, Conv))


def test_the_auxiliary_classifier():
    """DARTS: ReLU, pool 5 by 3, 1x1 to 128, 2x2 to 768, fully connected; counted by hand."""
    plan = auxiliary_plan((144, 8, 8), 10)
    expected = 144 * 128 + 2 * 128 + 128 * 768 * 4 + 2 * 768 + 768 * 10 + 10
    assert plan.parameters == expected
    assert [r.shape for r in plan.records if isinstance(r.layer, Relu)][1:] == [
        (128, 2, 2), (768, 1, 1)
    ]  # fmt: skip
    assert auxiliary_plan((8, 16, 16), 3).output_shape == (3,)
    last = plan.records[-1].layer
    assert isinstance(last, Linear)
    assert last.weight_std == 1e-3


def test_small_pictures_have_no_auxiliary_classifier():
    assert published_genotype_plan(image_size=28, channels=4, layers=3).auxiliary is None
    assert published_genotype_plan(image_size=36, channels=4, layers=3).auxiliary is not None


@pytest.mark.parametrize(
    "options, message",
    [
        ({"channels": 0}, r"Network\.channels must be at least 1, got 0"),
        ({"channels": 5}, r"Network\.channels must be even.* got 5"),
        ({"layers": 0}, r"Network\.layers must be at least 1, got 0"),
        ({"classes": 0}, r"Network\.classes must be at least 1, got 0"),
        ({"image_size": 30}, r"multiple of 4, got 30; set Data\.image_size"),
        ({"image_size": 0}, "multiple of 4, got 0"),
    ],
)
def test_impossible_sizes(options, message):
    with pytest.raises(ConfigError, match=message):
        published_genotype_plan(**options)


def test_an_unknown_genotype():
    with pytest.raises(UnknownNameError, match="Did you mean 'DARTS_V1'"):
        published_genotype_plan(genotype="DARTS_V11")
