"""Controls beside an SAE: raw neurons, a shuffled PLM, amino acids and positions."""
