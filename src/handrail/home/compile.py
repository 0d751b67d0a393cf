"""Home files to a ruleset and releases; pure."""
