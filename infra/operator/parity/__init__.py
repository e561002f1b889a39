"""What a run did on a day, held against what the rules decide."""
