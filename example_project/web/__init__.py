"""The page at / and the API that it calls."""
