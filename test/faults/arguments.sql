arguments.sql: tables with every kind of column, and statements that are refused.
--: setup
CREATE TABLE host(id INTEGER PRIMARY KEY);
CREATE VIRTUAL TABLE t USING quire(id text primary key, e float[4] distance_metric=cosine, i int8[4] distance_metric=l1, b bit[8], h float[4],
  n integer, f float, flag boolean, s text, part text partition key, +long text, +bytes blob, fold_rows=3);
INSERT INTO t(id, e, i, b, h, n, f, flag, s, part, long, bytes) VALUES
  ('a', test_vector(1, 4), vec_int8('[1,2,3,4]'), vec_bit(x'01'), test_vector(2, 4), 1, 1.5, 1, 'x', 'p', 'long one', x'00'),
  ('b', test_vector(2, 4), vec_int8('[4,3,2,1]'), vec_bit(x'02'), test_vector(3, 4), 2, 2.5, 0, 'y', 'p', 'long two', x'01'),
  ('c', test_vector(3, 4), vec_int8('[0,0,2,1]'), vec_bit(x'03'), test_vector(4, 4), 3, 3.5, 0, 'z', 'q', NULL, NULL),
  ('d', test_vector(4, 4), NULL, vec_bit(x'04'), test_vector(5, 4), NULL, NULL, NULL, NULL, 'q', NULL, NULL);
--: test
INSERT INTO t(id, e) VALUES('a', test_vector(5, 4));
INSERT INTO t(id, e) VALUES('x', '[1, 2]');
INSERT INTO t(id, e) VALUES('x', vec_int8('[1, 2, 3, 4]'));
INSERT INTO t(id, e, i) VALUES('x', test_vector(1, 4), '[1');
INSERT INTO t(id, e, n) VALUES('x', test_vector(1, 4), 'text');
INSERT INTO t(id, e, flag) VALUES('x', test_vector(1, 4), 7);
INSERT INTO t(id, e, f) VALUES('x', test_vector(1, 4), x'00');
INSERT INTO t(id, e, s) VALUES('x', test_vector(1, 4), 5);
INSERT INTO t(id, e) VALUES(5, test_vector(1, 4));
INSERT OR REPLACE INTO t(id, e, part, n) VALUES('b', test_vector(6, 4), 'r', 9);
UPDATE t SET id = 'e' WHERE id = 'c';
UPDATE t SET id = 'a' WHERE id = 'e';
UPDATE t SET s = 'new', i = vec_int8('[9,9,9,9]') WHERE id = 'd';
UPDATE t SET e = x'00' WHERE id = 'd';
DELETE FROM t WHERE id = 'd';
SELECT id, distance, s, long FROM t WHERE i MATCH vec_int8('[1,1,1,1]') AND k = 3 AND part = 'p' AND f > 1;
SELECT id, hex(h), hex(bytes) FROM t WHERE b MATCH vec_bit(x'03') AND k = 2 AND s IN ('x', 'y', 'z') AND flag = 1;
SELECT id FROM t WHERE id = 'a' AND s = 'x';
SELECT id FROM t WHERE id > 'a' ORDER BY id;
INSERT INTO t(t) VALUES('no such command');
INSERT INTO t(t) VALUES('ef_search=5');
INSERT INTO t(t) VALUES('rebuild=hnsw(m=999)');
INSERT INTO quire(quire) VALUES('no such command');
INSERT INTO quire(quire) VALUES('fold');
INSERT INTO quire(quire) VALUES('integrity-check');
CREATE VIRTUAL TABLE u USING quire(e float[3] INDEXED BY hnsw(m=8, ef_construction=20, quantizer=int4), relates_to='host(id)', relation=many_to_many);
INSERT INTO u(rowid, e) VALUES(1, '[1,2,3]'), (2, '[3,2,1]');
SELECT rowid FROM u WHERE e MATCH '[1,1,1]' AND k = 1;
DROP TABLE u;
DROP TABLE quire;
--: check
SELECT id, n, f, flag, s, part, long, hex(bytes), hex(e), hex(i) FROM t ORDER BY id;
SELECT name FROM sqlite_schema WHERE sql LIKE 'CREATE VIRTUAL%' ORDER BY name;
--: sound
INSERT INTO t(t) VALUES('integrity-check');
