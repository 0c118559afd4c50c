"""Builds a dataset: its job, the plan written to a folder or zip, masks, enlarged pictures."""
