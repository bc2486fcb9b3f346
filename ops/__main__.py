"""`python -m ops COMMAND`."""

from ops.cli import app

if __name__ == "__main__":
    app(prog_name="ops")
