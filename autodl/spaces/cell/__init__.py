"""Cells of AutoDL Design: the architecture, its space, its plan and their options."""
