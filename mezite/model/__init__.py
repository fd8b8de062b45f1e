"""The nouns: frozen values that everybody shares. No behaviour beyond what follows from the fields alone.

Every noun that is stored carries `revision`, the number of times its row has been written: whoever
writes it back must have seen the latest one (compare-and-set), so no change is lost in a race.
"""
