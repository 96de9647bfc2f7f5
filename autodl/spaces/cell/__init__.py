"""Cells of AutoDL Design: the architecture, its space, its plan and their options."""

from autodl.spaces.cell.architecture import Cell, CellPair

__all__ = ["Cell", "CellPair"]
