"""How a training's cases are split: the options, what is known of the cases, the folds and the check for leaks."""
