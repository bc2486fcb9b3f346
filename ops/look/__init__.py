"""Commands that only read: status, logs, a shell in a task, outputs, doctor."""
