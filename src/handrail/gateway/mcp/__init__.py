"""The MCP door, on the official SDK's server (the extra `mcp`); loaded only in the process that serves it."""
