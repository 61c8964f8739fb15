"""Tests: they mirror the rooms; each name is a claim."""
