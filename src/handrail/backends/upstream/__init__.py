"""Model providers over HTTP: pooling, time limits, retries, circuit breaker, bounded concurrency; for `guard.ports`."""
