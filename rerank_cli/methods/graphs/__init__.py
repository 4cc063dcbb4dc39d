"""What the graphs of several methods share: a decoder's step, a prefix computed once, a last layer for the row that is read."""
