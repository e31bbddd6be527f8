"""What an operator sees of a simulated gateway: a log, metrics, and whether it is alive."""
