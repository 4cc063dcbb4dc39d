"""Pictures of evaluations: pure functions from numbers to SVG text, and to bars of text for a terminal.

Three questions, three pictures: who wins and loses (`differences`), how good is each run and how sure is that
(`means`), and down to which depth does reranking help (`curve`). All are legible without colour: what colour says
is said again by filled and hollow, by the shape of a marker, by dashes or by a label.
"""
