"""What the app remembers of its checks: models, paging, the table's side, and the recorder."""
