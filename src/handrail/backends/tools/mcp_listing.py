"""What an MCP server lists, asked of it as a child process by the official SDK (the extra `mcp`)."""

from typing import Any

from handrail.terms.errors import Code, HandrailError

PATIENCE_S = 30.0
PAGES = 100
"""More pages than this are a server that never ends."""


async def listed(command: str, arguments: list[str]) -> dict[str, Any]:
    """`{"tools": [...]}` as announced. The child gets none of our environment but what the SDK passes by default.
    Raises HandrailError REQUEST_INVALID when the extra is missing, and UPSTREAM_UNREACHABLE when the server does not
    answer."""
    try:
        from mcp import ClientSession, StdioServerParameters  # an extra: absent in the base install
        from mcp.client.stdio import stdio_client
        from mcp.types import PaginatedRequestParams
    except ImportError:
        raise HandrailError(
            Code.REQUEST_INVALID, "asking an MCP server needs the extra: make extras, or pip install 'handrail[mcp]'"
        ) from None
    import anyio  # the SDK's own

    tools: list[dict[str, Any]] = []
    try:
        with anyio.fail_after(PATIENCE_S):
            async with (
                stdio_client(StdioServerParameters(command=command, args=arguments)) as (read, write),
                ClientSession(read, write) as session,
            ):
                await session.initialize()
                cursor: str | None = None
                for _ in range(PAGES):
                    page = await session.list_tools(params=PaginatedRequestParams(cursor=cursor))
                    tools += [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in page.tools]
                    cursor = page.next_cursor
                    if not cursor:
                        break
    except Exception as error:  # a group of whatever the child, the pipe or the SDK raised
        raise HandrailError(
            Code.UPSTREAM_UNREACHABLE, f"{command} did not list its tools ({type(error).__name__})"
        ) from error
    return {"tools": tools}
