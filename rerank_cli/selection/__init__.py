"""Which documents of a list stay: pure functions over scores, vectors and words; `pipeline.selecting` joins them to a run."""
