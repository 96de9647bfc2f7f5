"""Modes of the width search compared."""
