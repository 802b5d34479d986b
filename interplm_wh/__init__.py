"""A data warehouse of sparse-autoencoder features of protein language models."""

__version__ = "0.1.0"
