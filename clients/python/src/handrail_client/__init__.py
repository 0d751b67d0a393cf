"""Send outcomes to a handrail server; arrives with the events API."""
