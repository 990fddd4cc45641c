-- The vectors of one parent, for the user's WHERE and for SQLite's own check when a parent goes.
CREATE INDEX "{schema}"."quire_{id}_parent" ON "{table}_content"("{column}");
