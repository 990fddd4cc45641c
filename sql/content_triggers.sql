-- Of a vector table with content=: what keeps its index beside the rows of the user's own table. {columns} are the indexed columns, {set} those
-- and the key, which UPDATE may call by other names, too, {new} their new values; a row is taken out by its key alone, as when REPLACE has removed it.
DROP TRIGGER IF EXISTS "{schema}"."quire_{id}_content_insert";
DROP TRIGGER IF EXISTS "{schema}"."quire_{id}_content_update";
DROP TRIGGER IF EXISTS "{schema}"."quire_{id}_content_delete";
CREATE TRIGGER "{schema}"."quire_{id}_content_insert" AFTER INSERT ON "{content}" BEGIN
  INSERT INTO "{table}"("{first}", {columns}) VALUES(new."{key}", {new});
END;
CREATE TRIGGER "{schema}"."quire_{id}_content_update" AFTER UPDATE OF {set}, rowid, oid, _rowid_ ON "{content}" BEGIN
  INSERT INTO "{table}"("{table}", "{first}") VALUES('delete', old."{key}");
  INSERT INTO "{table}"("{first}", {columns}) VALUES(new."{key}", {new});
END;
CREATE TRIGGER "{schema}"."quire_{id}_content_delete" AFTER DELETE ON "{content}" BEGIN
  INSERT INTO "{table}"("{table}", "{first}") VALUES('delete', old."{key}");
END;
