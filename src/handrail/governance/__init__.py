"""Who owns which use case, which controls apply, what proves it."""
