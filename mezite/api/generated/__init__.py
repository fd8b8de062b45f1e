"""Made by mezite/api/generate.py; never edited."""
