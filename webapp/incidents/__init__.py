"""Incidents: models and their changes, paging, the table's side, and what makes writing safe."""
