"""The systems behind tools: HTTP targets here, MCP targets in the process of the doors."""
