"""Rank aggregation: one order of n items from many partial lists or pairwise comparisons.

Everything here is arithmetic on small dense arrays. `ranks (m, n)` holds m lists over n items, places from
1, 0 where a list lacks an item; `wins (n, n)` holds how often (or with what weight) the row's item was put above
the column's (`pairs.wins` makes one from the other). The caller fixes the order of the items, and results
depend on nothing else: the order of the lists has no say.
"""
