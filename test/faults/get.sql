get.sql: quire_get over pages, overlay, rows without a vector.
--: setup
CREATE VIRTUAL TABLE t USING quire(e float[4], a integer, fold_rows=8);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40)
  INSERT INTO t(rowid, e, a) SELECT i, test_vector(i, 4), i % 3 FROM n;
INSERT INTO t(rowid, e, a) VALUES(100, test_vector(100, 4), 1), (101, NULL, 1);
--: test
SELECT rowid, vector FROM quire_get('t', '[7, 100, 101, 55, 7]');
BEGIN;
DELETE FROM t WHERE rowid = 7;
SELECT rowid, vector FROM quire_get('t', x'070000000000000008000000000000006500000000000000', 'e');
COMMIT;
SELECT count(*) FROM quire_get('t', '[1, 2, 3]');
--: check
SELECT rowid, hex(e) FROM t ORDER BY rowid;
--: sound
INSERT INTO t(t) VALUES('integrity-check');
