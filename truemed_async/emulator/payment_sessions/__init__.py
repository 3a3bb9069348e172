"""Payment sessions: what one is, its life, and the seven endpoints about them."""
