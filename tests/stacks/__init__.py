"""Tests of the platform's settings and of what is synthesized from them."""
