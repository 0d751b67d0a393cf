"""Everything that can fail because the world did: storage, providers, clock."""
