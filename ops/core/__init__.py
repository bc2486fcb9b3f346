"""The base of every other package of `ops`: checkout, console, progress, AWS clients, files and errors."""
