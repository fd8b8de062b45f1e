"""Recordings of terminal sessions: the file format and its tools. A leaf: it imports nothing of ours.

An auditor can verify a recording on an island, with no hub and no account. The format is `format` and its
neighbours, the rules of trust are `chain` and `keys`; `docs/formats/recording.md` is the specification.
Importing this package loads nothing: pyte, zstandard and cryptography come with the modules that need them.
"""
