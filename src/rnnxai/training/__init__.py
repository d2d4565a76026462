"""Training: one loop over a stack of folds, its batches, streams and checkpoints."""
