"""`python -m ops COMMAND`."""

from ops.commands import app

if __name__ == "__main__":
    app(prog_name="ops")
