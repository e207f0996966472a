"""What libraries of other people's make of our access tokens and public keys, over HTTP."""
