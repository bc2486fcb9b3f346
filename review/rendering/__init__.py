"""Writes a review as text: Markdown within a budget of bytes, and the verdict file.

From outside: `render` in `comment`, `verdict_json` in `verdict_file`, `markdown`, `values`.
"""
