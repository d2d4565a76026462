"""How explanations are carried out: a forward pass is recorded and walked back."""
