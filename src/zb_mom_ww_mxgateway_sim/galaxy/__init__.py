"""The galaxy: what it consists of, where that is kept, and the values that move in it."""
