"""Mezite: SSH access with certificates that end, roles that are asked for, and a log that shows tampering."""

__version__ = "0.1.0"
