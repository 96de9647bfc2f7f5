"""Every space and every network by name: options model, and dotted path of its factory.

And every kind of architecture, by the ``kind`` of its JSON objects: the dotted path of its class.
"""

from autodl.config.components import Entry

ARCHITECTURES = {
    "cell_pair": "autodl.spaces.cell.architecture:CellPair",
    "chain": "autodl.spaces.chain.architecture:ChainArchitecture",
    "edge_cell": "autodl.spaces.edge_cell.architecture:EdgeCell",
    "fixed": "autodl.spaces.fixed:FixedArchitecture",
    "genotype": "autodl.spaces.genotype.architecture:Genotype",
    "mobile": "autodl.spaces.mobile.architecture:MobileArchitecture",
    "sequence": "autodl.spaces.sequence.architecture:SequenceArchitecture",
    "shuffle": "autodl.spaces.shuffle.architecture:ShuffleArchitecture",
    "stages": "autodl.spaces.stage.architecture:StageArchitecture",
    "widths": "autodl.spaces.width.architecture:WidthArchitecture",
}

SPACES = {
    "CellSpace": Entry(
        "autodl.spaces.cell.options:CellSpaceOptions", "autodl.spaces.cell.space:CellSpace"
    ),
    "ChainSpace": Entry(
        "autodl.spaces.chain.options:ChainSpaceOptions", "autodl.spaces.chain.space:ChainSpace"
    ),
    "EdgeCellSpace": Entry(
        "autodl.spaces.edge_cell.options:EdgeCellSpaceOptions",
        "autodl.spaces.edge_cell.space:EdgeCellSpace",
    ),
    "GenotypeSpace": Entry(
        "autodl.spaces.genotype.options:GenotypeSpaceOptions",
        "autodl.spaces.genotype.space:GenotypeSpace",
    ),
    "MobileSpace": Entry(
        "autodl.config.sections:NoOptions", "autodl.spaces.mobile.space:MobileSpace"
    ),
    "SequenceSpace": Entry(
        "autodl.spaces.sequence.options:SequenceSpaceOptions",
        "autodl.spaces.sequence.space:SequenceSpace",
    ),
    "ShuffleSpace": Entry(
        "autodl.spaces.shuffle.options:ShuffleSpaceOptions",
        "autodl.spaces.shuffle.space:ShuffleSpace",
    ),
    "StageSpace": Entry(
        "autodl.spaces.stage.options:StageSpaceOptions", "autodl.spaces.stage.space:StageSpace"
    ),
}

NETWORKS = {
    "CellNetwork": Entry(
        "autodl.spaces.cell.options:CellNetworkOptions", "autodl.spaces.cell.plan:cell_plan"
    ),
    "ChainNetwork": Entry(
        "autodl.spaces.chain.options:ChainNetworkOptions", "autodl.spaces.chain.plan:chain_plan"
    ),
    "CifarQuick": Entry(
        "autodl.config.sections:NoOptions",
        "autodl.spaces.classic.cifar_quick:cifar_quick_plan",
        searched=False,
    ),
    "EdgeCellNetwork": Entry(
        "autodl.spaces.edge_cell.options:EdgeCellNetworkOptions",
        "autodl.spaces.edge_cell.plan:edge_cell_plan",
    ),
    "GenotypeNetwork": Entry(
        "autodl.spaces.genotype.options:GenotypeNetworkOptions",
        "autodl.spaces.genotype.plan:published_genotype_plan",
        searched=False,
    ),
    "MobileNetwork": Entry(
        "autodl.spaces.mobile.options:MobileNetworkOptions",
        "autodl.spaces.mobile.plan:mobile_plan",
    ),
    "OwnGenotype": Entry(
        "autodl.spaces.genotype.options:OwnGenotypeOptions",
        "autodl.spaces.genotype.plan:genotype_plan",
    ),
    "RepVGG": Entry(
        "autodl.spaces.classic.options:RepVGGOptions",
        "autodl.spaces.classic.repvgg:repvgg_plan",
        searched=False,
    ),
    "Airbench": Entry(
        "autodl.spaces.classic.options:AirbenchOptions",
        "autodl.spaces.classic.airbench:airbench_plan",
        searched=False,
    ),
    "ResNet9": Entry(
        "autodl.spaces.classic.options:ResNet9Options",
        "autodl.spaces.classic.resnet9:resnet9_plan",
        searched=False,
    ),
    "ResNet": Entry(
        "autodl.spaces.classic.options:ResNetOptions",
        "autodl.spaces.classic.resnet:resnet_plan",
        searched=False,
    ),
    "SequenceLstm": Entry(
        "autodl.spaces.classic.options:SequenceLstmOptions",
        "autodl.spaces.classic.sequence_lstm:sequence_lstm_plan",
        searched=False,
    ),
    "SequenceNetwork": Entry(
        "autodl.spaces.sequence.options:SequenceNetworkOptions",
        "autodl.spaces.sequence.plan:sequence_plan",
    ),
    "SequenceResNet": Entry(
        "autodl.spaces.classic.options:SequenceResNetOptions",
        "autodl.spaces.classic.sequence_resnet:sequence_resnet_plan",
        searched=False,
    ),
    "ShuffleNetwork": Entry(
        "autodl.spaces.shuffle.options:ShuffleNetworkOptions",
        "autodl.spaces.shuffle.plan:shuffle_plan",
    ),
    "StageNetwork": Entry(
        "autodl.spaces.stage.options:StageNetworkOptions", "autodl.spaces.stage.plan:stage_plan"
    ),
    "VGG16": Entry(
        "autodl.config.sections:NoOptions",
        "autodl.spaces.classic.vgg:vgg16_plan",
        searched=False,
    ),
    "WidthNetwork": Entry(
        "autodl.spaces.width.options:WidthNetworkOptions",
        "autodl.spaces.width.plan:width_plan",
    ),
}
