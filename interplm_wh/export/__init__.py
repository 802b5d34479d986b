"""Tables and matrices for people who live elsewhere."""
