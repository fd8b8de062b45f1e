"""The places of the console, and what opens above them."""
