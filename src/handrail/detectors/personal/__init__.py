"""Personal and secret data, one idea per file; `detectors.pii` runs them in order."""
