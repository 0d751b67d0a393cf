"""One file per page: from rows of ports to a view model with texts ready for people; pure, no HTML."""
