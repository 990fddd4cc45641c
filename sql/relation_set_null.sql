-- A row of the parent goes, its vectors stay without a parent.
CREATE TRIGGER "{schema}"."quire_{id}_delete" BEFORE DELETE ON "{parent}" WHEN quire_foreign_keys() BEGIN
  UPDATE "{table}" SET "{column}" = NULL WHERE "{column}" = old."{key}";
END;
