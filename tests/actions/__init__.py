"""Plays the workflows of `.github/workflows/` on this machine, as GitHub's runner does."""
