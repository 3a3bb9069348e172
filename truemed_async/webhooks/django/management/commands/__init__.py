"""The commands, one a module, as Django finds them."""
