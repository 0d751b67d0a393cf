"""The Merkle tree of RFC 6962 as tiles; pure."""
