"""Storage in one SQLite file, through apsw."""
