plain.sql: SQLite's own tables, to test this test.
--: setup
CREATE TABLE t(a INTEGER PRIMARY KEY, b);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50) INSERT INTO t SELECT i, i * 2 FROM n;
--: open
INSERT INTO t VALUES(100, 'x'), (101, 'y');
BEGIN;
DELETE FROM t WHERE a < 5;
INSERT INTO t SELECT a + 1000, b FROM t;
CREATE TABLE u(x);
SELECT sum(a) FROM t;
COMMIT;
DROP TABLE u;
UPDATE t SET b = a;
--: check
SELECT count(*), sum(a), group_concat(b) FROM t;
SELECT name FROM sqlite_schema;
