"""Payment tokens and requests for them: what they are, their life, and the six endpoints about them."""
