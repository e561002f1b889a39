"""Files of candles and funding: reading, checking, downloading."""
