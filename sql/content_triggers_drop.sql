DROP TRIGGER IF EXISTS "{schema}"."quire_{id}_content_insert";
DROP TRIGGER IF EXISTS "{schema}"."quire_{id}_content_update";
DROP TRIGGER IF EXISTS "{schema}"."quire_{id}_content_delete";
