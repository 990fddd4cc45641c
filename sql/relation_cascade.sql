-- A row of the parent goes, and its vectors with it. Before, not after: the content table has a foreign key without action,
-- which would find them. quire_foreign_keys() is what PRAGMA foreign_keys says; SQLite has no function of its own for that.
CREATE TRIGGER "{schema}"."quire_{id}_delete" BEFORE DELETE ON "{parent}" WHEN quire_foreign_keys() BEGIN
  DELETE FROM "{table}" WHERE "{column}" = old."{key}";
END;
