"""The transparency log outside the database: its files, its sequencer, its readers."""
