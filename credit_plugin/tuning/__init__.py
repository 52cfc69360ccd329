"""Tuning: which pruning and fine-tuning say what retraining says, at the least cost."""
