"""The steps from an empty database to the present tables, on both engines. A released step never changes."""
