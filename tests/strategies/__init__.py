"""One file for each row of the documentation's table of strategies, end to end over HTTP."""
