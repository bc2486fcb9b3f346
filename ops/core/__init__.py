"""What every room uses: the checkout, the console, progress, AWS clients, files and errors."""
