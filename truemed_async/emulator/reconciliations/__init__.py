"""Reconciliations: transactions, the payouts that they are paid with, and the two endpoints about them."""
