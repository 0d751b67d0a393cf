"""Composition: the one place that reads settings and builds the rest."""
