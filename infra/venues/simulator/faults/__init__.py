"""What goes wrong and when: kinds of faults, how they are requested, and pending ones."""
