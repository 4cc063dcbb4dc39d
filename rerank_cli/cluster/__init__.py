"""Work done by many processes, on this machine or on many: what Ray does for the rest of the program."""
