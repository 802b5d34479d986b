"""Warehouses elsewhere: published on the hub, an object store or a folder, read in place, and fetched."""
