"""Readers of formats, written after the facts about the programs that read them (reference, trainers)."""
