"""How small mixtures are made."""

from __future__ import annotations

from functools import partial

from autodl.spaces.edge_cell.plan import edge_cell_plan
from autodl.spaces.genotype.plan import genotype_plan

SMALL = {"classes": 2, "image_size": 8}
CELLS = partial(edge_cell_plan, width=2, cells=1, **SMALL)
GENOTYPES = partial(genotype_plan, channels=2, layers=2, **SMALL)
