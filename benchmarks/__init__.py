"""packerpy side by side with the real packer: the same work, the same base, in turns, shown as ratios."""
