-- The index goes with its table.
DROP TRIGGER IF EXISTS "{schema}"."quire_{id}_delete";
DROP TABLE IF EXISTS "{schema}"."{table}_links";
