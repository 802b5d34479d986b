"""The pages: each has a title, an address and `show`."""
