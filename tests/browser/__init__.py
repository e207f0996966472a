"""The example project, as a person meets it: in a browser, against a running server."""
