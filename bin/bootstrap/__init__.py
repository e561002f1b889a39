"""The operator's desk: commands, whoever asks and by whichever way."""
