paged.sql: content='': vectors in pages alone: folds that take them out of the rows, rows that keep one of two, rebuild from pages, rolled back and not.
--: setup
CREATE VIRTUAL TABLE t USING quire(e float[3], f int8[8], kind text, +note text, content='', fold_rows=4);
INSERT INTO t(rowid, e, f, kind, note) VALUES(1, test_vector(1, 3), NULL, 'x', 'a'), (2, test_vector(2, 3), vec_int8('[1,2,3,4,5,6,7,8]'), 'y', 'b'),
  (3, NULL, NULL, 'x', 'c'), (4, NULL, vec_int8('[0,0,0,0,0,0,0,1]'), 'x', 'd'), (5, test_vector(5, 3), vec_int8('[0,0,0,0,0,0,2,1]'), 'x', 'e');
--: test
SELECT rowid, hex(e), hex(f), note FROM t;
UPDATE t SET e = test_vector(20, 3) WHERE rowid = 2;
UPDATE t SET note = 'changed', kind = 'z' WHERE rowid IN (1, 5);
INSERT INTO t(rowid, e, note) VALUES(6, test_vector(6, 3), 'f'), (7, test_vector(7, 3), 'g'), (8, test_vector(8, 3), 'h'), (9, test_vector(9, 3), 'i');
SELECT rowid, hex(e), hex(f), note FROM t WHERE e MATCH test_vector(3, 3) AND kind = 'z' AND k = 3;
BEGIN;
UPDATE t SET rowid = rowid + 100 WHERE rowid < 6;
INSERT INTO t(t) VALUES('fold');
SELECT rowid, hex(e), hex(f) FROM t WHERE rowid > 100;
ROLLBACK;
SELECT rowid, hex(e), hex(f) FROM t WHERE rowid = 5;
INSERT OR REPLACE INTO t(rowid, f) VALUES(5, vec_int8('[9,9,9,9,9,9,9,9]'));
DELETE FROM t WHERE rowid = 1;
INSERT INTO t(t) VALUES('optimize');
INSERT INTO t(t) VALUES('rebuild=hnsw(m=4)');
SELECT rowid, hex(e), hex(f) FROM t WHERE rowid IN (2, 4, 6);
--: check
SELECT rowid, hex(e), hex(f), kind, note FROM t ORDER BY rowid;
--: sound
INSERT INTO quire(quire) VALUES('integrity-check');
