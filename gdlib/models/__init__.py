"""One family of models a file, each readable from its parts to the whole."""
