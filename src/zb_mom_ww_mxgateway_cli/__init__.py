"""The command line, ``mxgw-py``."""
