"""One file per page: its rows of routes and keys, and handlers that ask and hand over to `views`."""
