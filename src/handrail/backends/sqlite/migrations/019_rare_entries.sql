-- Looking for entries by kind: what happens with each interaction is left out, so that writing those costs nothing more.

CREATE INDEX entry_rare ON entry (kind, seq) WHERE kind NOT IN ('interaction.opened', 'interaction.closed');
