"""Answers from a recorded trace: why, tree, figures, differences, exports."""
