search.sql: opening and every form of query; nothing may change.
--: setup
CREATE VIRTUAL TABLE t USING quire(e float[4], a integer, fold_rows=8);
CREATE TABLE hosts(id INTEGER PRIMARY KEY, name TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60)
  INSERT INTO t(rowid, e, a) SELECT i, test_vector(i, 4), i % 3 FROM n;
INSERT INTO hosts SELECT rowid, 'host ' || rowid FROM t;
DELETE FROM t WHERE rowid IN (7, 8);
--: open
SELECT rowid, distance FROM t WHERE e MATCH test_vector(9, 4) AND k = 5;
SELECT rowid, distance FROM t WHERE e MATCH '[0.1, 0.2, 0.3, 0.4]' AND k = 5 AND a = 1;
SELECT rowid FROM t WHERE e MATCH test_vector(9, 4) ORDER BY distance LIMIT 3;
SELECT name FROM t JOIN hosts ON id = t.rowid WHERE e MATCH test_vector(3, 4) AND k = 4 ORDER BY distance;
SELECT rowid FROM t WHERE e MATCH test_vector(9, 4) AND k = 5 AND rowid IN (1, 2, 3, 50);
SELECT hex(e), a FROM t WHERE rowid = 11;
SELECT count(*), sum(a) FROM t;
SELECT vec_to_json(e), vec_distance_cosine(e, '[1, 2, 3, 4]') FROM t WHERE rowid = 12;
SELECT count(*) FROM vec_each('[1, 2, 3]');
SELECT count(*) FROM (SELECT vec_concat(e) v FROM t) c, vec_rows(c.v, 4) r WHERE vec_maxsim(r.vector, c.v, 4) > 0;
SELECT vec_distance_l2(vec_sparse('{1:1.5,3:2}/4'), '{"dim":4,"indices":[0,1,3],"values":[1,2,3]}') > 0, vec_sparse_to_text(vec_sparse(vec_f32(vec_sparse('{2:1}/3'))));
SELECT sum(value), vec_to_json('{2:1}/3') FROM vec_each('{2:1,3:4}/8');
SELECT vec_nearest(vec_int8('[1, 2, 3, 4]'), (SELECT vec_kmeans(e, 3) FROM t)) < 3;
INSERT INTO t(t) VALUES('integrity-check');
--: check
SELECT count(*), sum(rowid), sum(a) FROM t;
--: sound
INSERT INTO t(t) VALUES('integrity-check');
