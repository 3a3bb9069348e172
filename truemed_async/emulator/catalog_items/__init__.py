"""The product catalog: what an item is, its review, and the five endpoints about items."""
