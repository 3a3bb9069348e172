"""Qualification sessions: what one is, its life, and the three endpoints about them."""
