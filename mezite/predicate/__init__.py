"""The small language of `where` and `filter`: parsed and checked when it is saved, judged when it is asked.

`predicate.compile_predicate(text, vocabulary)` is the way in, `Predicate.holds(facts)` the answer. What may
be said where is in `contexts`; patterns stand alone in `patterns`, as labels and role names use them too.
"""
