"""Looking at what runs and at what commands need: status, logs, a shell in a task, outputs, doctor."""
