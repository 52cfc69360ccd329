"""Review of a report: states, signatures, contests, and the ledger that holds them."""
