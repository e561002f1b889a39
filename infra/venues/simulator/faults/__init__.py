"""What goes wrong and when: kinds of faults, how they are asked for, and those that wait."""
