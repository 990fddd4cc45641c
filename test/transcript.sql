-- transcript.sql: what every build must answer the same: element types, metrics, quantizers, graphs, lists, sparse columns, where vectors and pages are, functions.
-- See transcript.c.
CREATE TABLE n(i INTEGER PRIMARY KEY);
WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 400) INSERT INTO n SELECT i FROM s;

-- float, l2, int4
CREATE VIRTUAL TABLE t USING quire(e float[64] INDEXED BY hnsw(m=8, ef_construction=32, ef_search=16, quantizer=int4) distance_metric=l2, a integer, fold_rows=150);
INSERT INTO t(rowid, e, a) SELECT i, test_gauss(i, 64), i % 7 FROM n;
INSERT INTO t(t) VALUES('fold');
SELECT rowid, distance FROM t WHERE e MATCH test_gauss(-1, 64) AND k = 10 AND exact = 1;
SELECT rowid, distance FROM t WHERE e MATCH test_gauss(-2, 64) AND k = 10 ORDER BY distance;
DELETE FROM t WHERE rowid % 9 = 4;
UPDATE t SET e = test_gauss(rowid + 1000, 64) WHERE rowid % 50 = 3;
INSERT INTO t(t) VALUES('fold');
SELECT rowid, distance FROM t WHERE e MATCH test_gauss(-3, 64) AND k = 10 AND a < 3;
INSERT INTO t(t) VALUES('optimize');
SELECT group_concat(rowid) FROM (SELECT rowid FROM t WHERE e MATCH test_gauss(-4, 64) AND k = 25 ORDER BY distance);
INSERT INTO t(t) VALUES('integrity-check');
SELECT name, value FROM quire WHERE name IN ('graph_folds', 'graph_linked', 'graph_repairs', 'pages_written');
DROP TABLE t;

-- float, l2, int8
CREATE VIRTUAL TABLE t USING quire(e float[32] INDEXED BY hnsw(m=8, ef_construction=32, ef_search=16, quantizer=int8) distance_metric=l2, a integer, fold_rows=150);
INSERT INTO t(rowid, e, a) SELECT i, test_gauss(i, 32), i % 7 FROM n;
INSERT INTO t(t) VALUES('fold');
SELECT rowid, distance FROM t WHERE e MATCH test_gauss(-1, 32) AND k = 10 AND exact = 1;
SELECT rowid, distance FROM t WHERE e MATCH test_gauss(-2, 32) AND k = 10 ORDER BY distance;
DELETE FROM t WHERE rowid % 9 = 4;
UPDATE t SET e = test_gauss(rowid + 1000, 32) WHERE rowid % 50 = 3;
INSERT INTO t(t) VALUES('fold');
SELECT rowid, distance FROM t WHERE e MATCH test_gauss(-3, 32) AND k = 10 AND a < 3;
INSERT INTO t(t) VALUES('optimize');
SELECT group_concat(rowid) FROM (SELECT rowid FROM t WHERE e MATCH test_gauss(-4, 32) AND k = 25 ORDER BY distance);
INSERT INTO t(t) VALUES('integrity-check');
SELECT name, value FROM quire WHERE name IN ('graph_folds', 'graph_linked', 'graph_repairs', 'pages_written');
DROP TABLE t;

-- float, l2, none
CREATE VIRTUAL TABLE t USING quire(e float[24] INDEXED BY hnsw(m=8, ef_construction=32, ef_search=16, quantizer=none) distance_metric=l2, a integer, fold_rows=150);
INSERT INTO t(rowid, e, a) SELECT i, test_gauss(i, 24), i % 7 FROM n;
INSERT INTO t(t) VALUES('fold');
SELECT rowid, distance FROM t WHERE e MATCH test_gauss(-1, 24) AND k = 10 AND exact = 1;
SELECT rowid, distance FROM t WHERE e MATCH test_gauss(-2, 24) AND k = 10 ORDER BY distance;
DELETE FROM t WHERE rowid % 9 = 4;
UPDATE t SET e = test_gauss(rowid + 1000, 24) WHERE rowid % 50 = 3;
INSERT INTO t(t) VALUES('fold');
SELECT rowid, distance FROM t WHERE e MATCH test_gauss(-3, 24) AND k = 10 AND a < 3;
INSERT INTO t(t) VALUES('optimize');
SELECT group_concat(rowid) FROM (SELECT rowid FROM t WHERE e MATCH test_gauss(-4, 24) AND k = 25 ORDER BY distance);
INSERT INTO t(t) VALUES('integrity-check');
SELECT name, value FROM quire WHERE name IN ('graph_folds', 'graph_linked', 'graph_repairs', 'pages_written');
DROP TABLE t;

-- float, cosine, int4
CREATE VIRTUAL TABLE t USING quire(e float[96] INDEXED BY hnsw(m=8, ef_construction=32, ef_search=16, quantizer=int4) distance_metric=cosine, a integer, fold_rows=150);
INSERT INTO t(rowid, e, a) SELECT i, test_gauss(i, 96), i % 7 FROM n;
INSERT INTO t(t) VALUES('fold');
SELECT rowid, distance FROM t WHERE e MATCH test_gauss(-1, 96) AND k = 10 AND exact = 1;
SELECT rowid, distance FROM t WHERE e MATCH test_gauss(-2, 96) AND k = 10 ORDER BY distance;
DELETE FROM t WHERE rowid % 9 = 4;
UPDATE t SET e = test_gauss(rowid + 1000, 96) WHERE rowid % 50 = 3;
INSERT INTO t(t) VALUES('fold');
SELECT rowid, distance FROM t WHERE e MATCH test_gauss(-3, 96) AND k = 10 AND a < 3;
INSERT INTO t(t) VALUES('optimize');
SELECT group_concat(rowid) FROM (SELECT rowid FROM t WHERE e MATCH test_gauss(-4, 96) AND k = 25 ORDER BY distance);
INSERT INTO t(t) VALUES('integrity-check');
SELECT name, value FROM quire WHERE name IN ('graph_folds', 'graph_linked', 'graph_repairs', 'pages_written');
DROP TABLE t;

-- float, dot, int8
CREATE VIRTUAL TABLE t USING quire(e float[24] INDEXED BY hnsw(m=8, ef_construction=32, ef_search=16, quantizer=int8) distance_metric=dot, a integer, fold_rows=150);
INSERT INTO t(rowid, e, a) SELECT i, test_gauss(i, 24), i % 7 FROM n;
INSERT INTO t(t) VALUES('fold');
SELECT rowid, distance FROM t WHERE e MATCH test_gauss(-1, 24) AND k = 10 AND exact = 1;
SELECT rowid, distance FROM t WHERE e MATCH test_gauss(-2, 24) AND k = 10 ORDER BY distance;
DELETE FROM t WHERE rowid % 9 = 4;
UPDATE t SET e = test_gauss(rowid + 1000, 24) WHERE rowid % 50 = 3;
INSERT INTO t(t) VALUES('fold');
SELECT rowid, distance FROM t WHERE e MATCH test_gauss(-3, 24) AND k = 10 AND a < 3;
INSERT INTO t(t) VALUES('optimize');
SELECT group_concat(rowid) FROM (SELECT rowid FROM t WHERE e MATCH test_gauss(-4, 24) AND k = 25 ORDER BY distance);
INSERT INTO t(t) VALUES('integrity-check');
SELECT name, value FROM quire WHERE name IN ('graph_folds', 'graph_linked', 'graph_repairs', 'pages_written');
DROP TABLE t;

-- float, l1, none
CREATE VIRTUAL TABLE t USING quire(e float[24] INDEXED BY hnsw(m=8, ef_construction=32, ef_search=16, quantizer=none) distance_metric=l1, a integer, fold_rows=150);
INSERT INTO t(rowid, e, a) SELECT i, test_gauss(i, 24), i % 7 FROM n;
INSERT INTO t(t) VALUES('fold');
SELECT rowid, distance FROM t WHERE e MATCH test_gauss(-1, 24) AND k = 10 AND exact = 1;
SELECT rowid, distance FROM t WHERE e MATCH test_gauss(-2, 24) AND k = 10 ORDER BY distance;
DELETE FROM t WHERE rowid % 9 = 4;
UPDATE t SET e = test_gauss(rowid + 1000, 24) WHERE rowid % 50 = 3;
INSERT INTO t(t) VALUES('fold');
SELECT rowid, distance FROM t WHERE e MATCH test_gauss(-3, 24) AND k = 10 AND a < 3;
INSERT INTO t(t) VALUES('optimize');
SELECT group_concat(rowid) FROM (SELECT rowid FROM t WHERE e MATCH test_gauss(-4, 24) AND k = 25 ORDER BY distance);
INSERT INTO t(t) VALUES('integrity-check');
SELECT name, value FROM quire WHERE name IN ('graph_folds', 'graph_linked', 'graph_repairs', 'pages_written');
DROP TABLE t;

-- float16, l2, int4
CREATE VIRTUAL TABLE t USING quire(e float16[64] INDEXED BY hnsw(m=8, ef_construction=32, ef_search=16, quantizer=int4) distance_metric=l2, a integer, fold_rows=150);
INSERT INTO t(rowid, e, a) SELECT i, vec_f16(vec_f32(test_gauss(i, 64))), i % 7 FROM n;
INSERT INTO t(t) VALUES('fold');
SELECT rowid, distance FROM t WHERE e MATCH vec_f16(vec_f32(test_gauss(-1, 64))) AND k = 10 AND exact = 1;
SELECT rowid, distance FROM t WHERE e MATCH vec_f16(vec_f32(test_gauss(-2, 64))) AND k = 10 ORDER BY distance;
DELETE FROM t WHERE rowid % 9 = 4;
UPDATE t SET e = vec_f16(vec_f32(test_gauss(rowid + 1000, 64))) WHERE rowid % 50 = 3;
INSERT INTO t(t) VALUES('fold');
SELECT rowid, distance FROM t WHERE e MATCH vec_f16(vec_f32(test_gauss(-3, 64))) AND k = 10 AND a < 3;
INSERT INTO t(t) VALUES('optimize');
SELECT group_concat(rowid) FROM (SELECT rowid FROM t WHERE e MATCH vec_f16(vec_f32(test_gauss(-4, 64))) AND k = 25 ORDER BY distance);
INSERT INTO t(t) VALUES('integrity-check');
SELECT name, value FROM quire WHERE name IN ('graph_folds', 'graph_linked', 'graph_repairs', 'pages_written');
DROP TABLE t;

-- bfloat16, cosine, int8
CREATE VIRTUAL TABLE t USING quire(e bfloat16[32] INDEXED BY hnsw(m=8, ef_construction=32, ef_search=16, quantizer=int8) distance_metric=cosine, a integer, fold_rows=150);
INSERT INTO t(rowid, e, a) SELECT i, vec_bf16(vec_f32(test_gauss(i, 32))), i % 7 FROM n;
INSERT INTO t(t) VALUES('fold');
SELECT rowid, distance FROM t WHERE e MATCH vec_bf16(vec_f32(test_gauss(-1, 32))) AND k = 10 AND exact = 1;
SELECT rowid, distance FROM t WHERE e MATCH vec_bf16(vec_f32(test_gauss(-2, 32))) AND k = 10 ORDER BY distance;
DELETE FROM t WHERE rowid % 9 = 4;
UPDATE t SET e = vec_bf16(vec_f32(test_gauss(rowid + 1000, 32))) WHERE rowid % 50 = 3;
INSERT INTO t(t) VALUES('fold');
SELECT rowid, distance FROM t WHERE e MATCH vec_bf16(vec_f32(test_gauss(-3, 32))) AND k = 10 AND a < 3;
INSERT INTO t(t) VALUES('optimize');
SELECT group_concat(rowid) FROM (SELECT rowid FROM t WHERE e MATCH vec_bf16(vec_f32(test_gauss(-4, 32))) AND k = 25 ORDER BY distance);
INSERT INTO t(t) VALUES('integrity-check');
SELECT name, value FROM quire WHERE name IN ('graph_folds', 'graph_linked', 'graph_repairs', 'pages_written');
DROP TABLE t;

-- int8, l2, none
CREATE VIRTUAL TABLE t USING quire(e int8[24] INDEXED BY hnsw(m=8, ef_construction=32, ef_search=16, quantizer=none) distance_metric=l2, a integer, fold_rows=150);
INSERT INTO t(rowid, e, a) SELECT i, vec_quantize_int8(vec_normalize(test_gauss(i, 24)), 'unit'), i % 7 FROM n;
INSERT INTO t(t) VALUES('fold');
SELECT rowid, distance FROM t WHERE e MATCH vec_quantize_int8(vec_normalize(test_gauss(-1, 24)), 'unit') AND k = 10 AND exact = 1;
SELECT rowid, distance FROM t WHERE e MATCH vec_quantize_int8(vec_normalize(test_gauss(-2, 24)), 'unit') AND k = 10 ORDER BY distance;
DELETE FROM t WHERE rowid % 9 = 4;
UPDATE t SET e = vec_quantize_int8(vec_normalize(test_gauss(rowid + 1000, 24)), 'unit') WHERE rowid % 50 = 3;
INSERT INTO t(t) VALUES('fold');
SELECT rowid, distance FROM t WHERE e MATCH vec_quantize_int8(vec_normalize(test_gauss(-3, 24)), 'unit') AND k = 10 AND a < 3;
INSERT INTO t(t) VALUES('optimize');
SELECT group_concat(rowid) FROM (SELECT rowid FROM t WHERE e MATCH vec_quantize_int8(vec_normalize(test_gauss(-4, 24)), 'unit') AND k = 25 ORDER BY distance);
INSERT INTO t(t) VALUES('integrity-check');
SELECT name, value FROM quire WHERE name IN ('graph_folds', 'graph_linked', 'graph_repairs', 'pages_written');
DROP TABLE t;

-- int8, dot, none
CREATE VIRTUAL TABLE t USING quire(e int8[40] INDEXED BY hnsw(m=8, ef_construction=32, ef_search=16, quantizer=none) distance_metric=dot, a integer, fold_rows=150);
INSERT INTO t(rowid, e, a) SELECT i, vec_quantize_int8(vec_normalize(test_gauss(i, 40)), 'unit'), i % 7 FROM n;
INSERT INTO t(t) VALUES('fold');
SELECT rowid, distance FROM t WHERE e MATCH vec_quantize_int8(vec_normalize(test_gauss(-1, 40)), 'unit') AND k = 10 AND exact = 1;
SELECT rowid, distance FROM t WHERE e MATCH vec_quantize_int8(vec_normalize(test_gauss(-2, 40)), 'unit') AND k = 10 ORDER BY distance;
DELETE FROM t WHERE rowid % 9 = 4;
UPDATE t SET e = vec_quantize_int8(vec_normalize(test_gauss(rowid + 1000, 40)), 'unit') WHERE rowid % 50 = 3;
INSERT INTO t(t) VALUES('fold');
SELECT rowid, distance FROM t WHERE e MATCH vec_quantize_int8(vec_normalize(test_gauss(-3, 40)), 'unit') AND k = 10 AND a < 3;
INSERT INTO t(t) VALUES('optimize');
SELECT group_concat(rowid) FROM (SELECT rowid FROM t WHERE e MATCH vec_quantize_int8(vec_normalize(test_gauss(-4, 40)), 'unit') AND k = 25 ORDER BY distance);
INSERT INTO t(t) VALUES('integrity-check');
SELECT name, value FROM quire WHERE name IN ('graph_folds', 'graph_linked', 'graph_repairs', 'pages_written');
DROP TABLE t;

-- bit, hamming, none
CREATE VIRTUAL TABLE t USING quire(e bit[128] INDEXED BY hnsw(m=8, ef_construction=32, ef_search=16, quantizer=none), a integer, fold_rows=150);
INSERT INTO t(rowid, e, a) SELECT i, vec_quantize_binary(test_gauss(i, 128)), i % 7 FROM n;
INSERT INTO t(t) VALUES('fold');
SELECT rowid, distance FROM t WHERE e MATCH vec_quantize_binary(test_gauss(-1, 128)) AND k = 10 AND exact = 1;
SELECT rowid, distance FROM t WHERE e MATCH vec_quantize_binary(test_gauss(-2, 128)) AND k = 10 ORDER BY distance;
DELETE FROM t WHERE rowid % 9 = 4;
UPDATE t SET e = vec_quantize_binary(test_gauss(rowid + 1000, 128)) WHERE rowid % 50 = 3;
INSERT INTO t(t) VALUES('fold');
SELECT rowid, distance FROM t WHERE e MATCH vec_quantize_binary(test_gauss(-3, 128)) AND k = 10 AND a < 3;
INSERT INTO t(t) VALUES('optimize');
SELECT group_concat(rowid) FROM (SELECT rowid FROM t WHERE e MATCH vec_quantize_binary(test_gauss(-4, 128)) AND k = 25 ORDER BY distance);
INSERT INTO t(t) VALUES('integrity-check');
SELECT name, value FROM quire WHERE name IN ('graph_folds', 'graph_linked', 'graph_repairs', 'pages_written');
DROP TABLE t;

-- bit, jaccard, none
CREATE VIRTUAL TABLE t USING quire(e bit[64] INDEXED BY hnsw(m=8, ef_construction=32, ef_search=16, quantizer=none) distance_metric=jaccard, a integer, fold_rows=150);
INSERT INTO t(rowid, e, a) SELECT i, vec_quantize_binary(test_gauss(i, 64)), i % 7 FROM n;
INSERT INTO t(t) VALUES('fold');
SELECT rowid, distance FROM t WHERE e MATCH vec_quantize_binary(test_gauss(-1, 64)) AND k = 10 AND exact = 1;
SELECT rowid, distance FROM t WHERE e MATCH vec_quantize_binary(test_gauss(-2, 64)) AND k = 10 ORDER BY distance;
DELETE FROM t WHERE rowid % 9 = 4;
UPDATE t SET e = vec_quantize_binary(test_gauss(rowid + 1000, 64)) WHERE rowid % 50 = 3;
INSERT INTO t(t) VALUES('fold');
SELECT rowid, distance FROM t WHERE e MATCH vec_quantize_binary(test_gauss(-3, 64)) AND k = 10 AND a < 3;
INSERT INTO t(t) VALUES('optimize');
SELECT group_concat(rowid) FROM (SELECT rowid FROM t WHERE e MATCH vec_quantize_binary(test_gauss(-4, 64)) AND k = 25 ORDER BY distance);
INSERT INTO t(t) VALUES('integrity-check');
SELECT name, value FROM quire WHERE name IN ('graph_folds', 'graph_linked', 'graph_repairs', 'pages_written');
DROP TABLE t;

-- sparse, dot
CREATE VIRTUAL TABLE t USING quire(e sparse[300] distance_metric=dot, a integer, fold_rows=150);
INSERT INTO t(rowid, e, a) SELECT i, vec_sparse('{"' || (i % 7) || '":' || (i % 5 + 0.25) || ',"' || (10 + i * 7 % 23) || '":' || (i % 11 - 4.5) || '}', 300), i % 7 FROM n;
INSERT INTO t(t) VALUES('fold');
SELECT rowid, distance FROM t WHERE e MATCH '{2:1.5,12:-1,15:0.75}/300' AND k = 10;
DELETE FROM t WHERE rowid % 9 = 4;
UPDATE t SET e = vec_sparse('{"' || ((rowid + 1000) % 7) || '":' || ((rowid + 1000) % 5 + 0.25) || ',"' || (10 + (rowid + 1000) * 7 % 23) || '":' || ((rowid + 1000) % 11 - 4.5) || '}', 300) WHERE rowid % 50 = 3;
SELECT rowid, distance FROM t WHERE e MATCH '{1:-2,20:0.5}/300' AND k = 10 AND a < 3;
INSERT INTO t(t) VALUES('optimize');
SELECT group_concat(rowid) FROM (SELECT rowid FROM t WHERE e MATCH '{5:1,30:2,31:-1}/300' AND k = 400);
SELECT rowid, vec_sparse_to_text(e), vec_to_json(e) FROM t WHERE rowid IN (3, 50, 399);
INSERT INTO t(t) VALUES('integrity-check');
DROP TABLE t;

-- sparse, cosine
CREATE VIRTUAL TABLE t USING quire(e sparse[300] distance_metric=cosine, a integer, fold_rows=150);
INSERT INTO t(rowid, e, a) SELECT i, vec_sparse('{"' || (i % 7) || '":' || (i % 5 + 0.25) || ',"' || (10 + i * 7 % 23) || '":' || (i % 11 - 4.5) || '}', 300), i % 7 FROM n;
INSERT INTO t(t) VALUES('fold');
SELECT rowid, distance FROM t WHERE e MATCH '{2:1.5,12:-1,15:0.75}/300' AND k = 10;
DELETE FROM t WHERE rowid % 9 = 4;
UPDATE t SET e = vec_sparse('{"' || ((rowid + 1000) % 7) || '":' || ((rowid + 1000) % 5 + 0.25) || ',"' || (10 + (rowid + 1000) * 7 % 23) || '":' || ((rowid + 1000) % 11 - 4.5) || '}', 300) WHERE rowid % 50 = 3;
SELECT rowid, distance FROM t WHERE e MATCH '{1:-2,20:0.5}/300' AND k = 10 AND a < 3;
INSERT INTO t(t) VALUES('optimize');
SELECT group_concat(rowid) FROM (SELECT rowid FROM t WHERE e MATCH '{5:1,30:2,31:-1}/300' AND k = 400);
SELECT rowid, vec_sparse_to_text(e), vec_to_json(e) FROM t WHERE rowid IN (3, 50, 399);
INSERT INTO t(t) VALUES('integrity-check');
DROP TABLE t;

-- sparse, l2
CREATE VIRTUAL TABLE t USING quire(e sparse[40] distance_metric=l2, a integer, fold_rows=150);
INSERT INTO t(rowid, e, a) SELECT i, vec_sparse('{"' || (i % 7) || '":' || (i % 5 + 0.25) || ',"' || (10 + i * 7 % 23) || '":' || (i % 11 - 4.5) || '}', 40), i % 7 FROM n;
INSERT INTO t(t) VALUES('fold');
SELECT rowid, distance FROM t WHERE e MATCH '{2:1.5,12:-1,15:0.75}/40' AND k = 10;
DELETE FROM t WHERE rowid % 9 = 4;
UPDATE t SET e = vec_sparse('{"' || ((rowid + 1000) % 7) || '":' || ((rowid + 1000) % 5 + 0.25) || ',"' || (10 + (rowid + 1000) * 7 % 23) || '":' || ((rowid + 1000) % 11 - 4.5) || '}', 40) WHERE rowid % 50 = 3;
SELECT rowid, distance FROM t WHERE e MATCH '{1:-2,20:0.5}/40' AND k = 10 AND a < 3;
INSERT INTO t(t) VALUES('optimize');
SELECT group_concat(rowid) FROM (SELECT rowid FROM t WHERE e MATCH '{5:1,30:2,31:-1}/40' AND k = 400);
SELECT rowid, vec_sparse_to_text(e), vec_to_json(e) FROM t WHERE rowid IN (3, 50, 399);
INSERT INTO t(t) VALUES('integrity-check');
DROP TABLE t;

-- sparse, l1
CREATE VIRTUAL TABLE t USING quire(e sparse[300] distance_metric=l1, a integer, fold_rows=150);
INSERT INTO t(rowid, e, a) SELECT i, vec_sparse('{"' || (i % 7) || '":' || (i % 5 + 0.25) || ',"' || (10 + i * 7 % 23) || '":' || (i % 11 - 4.5) || '}', 300), i % 7 FROM n;
INSERT INTO t(t) VALUES('fold');
SELECT rowid, distance FROM t WHERE e MATCH '{2:1.5,12:-1,15:0.75}/300' AND k = 10;
DELETE FROM t WHERE rowid % 9 = 4;
UPDATE t SET e = vec_sparse('{"' || ((rowid + 1000) % 7) || '":' || ((rowid + 1000) % 5 + 0.25) || ',"' || (10 + (rowid + 1000) * 7 % 23) || '":' || ((rowid + 1000) % 11 - 4.5) || '}', 300) WHERE rowid % 50 = 3;
SELECT rowid, distance FROM t WHERE e MATCH '{1:-2,20:0.5}/300' AND k = 10 AND a < 3;
INSERT INTO t(t) VALUES('optimize');
SELECT group_concat(rowid) FROM (SELECT rowid FROM t WHERE e MATCH '{5:1,30:2,31:-1}/300' AND k = 400);
SELECT rowid, vec_sparse_to_text(e), vec_to_json(e) FROM t WHERE rowid IN (3, 50, 399);
INSERT INTO t(t) VALUES('integrity-check');
DROP TABLE t;

-- content='', float, hnsw, int8
CREATE VIRTUAL TABLE t USING quire(e float[24] INDEXED BY hnsw(m=8, ef_construction=32, ef_search=16, quantizer=int8) distance_metric=l2, a integer, content='', fold_rows=150);
INSERT INTO t(rowid, e, a) SELECT i, test_gauss(i, 24), i % 7 FROM n;
INSERT INTO t(t) VALUES('fold');
SELECT rowid, distance FROM t WHERE e MATCH test_gauss(-1, 24) AND k = 10 AND exact = 1;
SELECT rowid, distance FROM t WHERE e MATCH test_gauss(-2, 24) AND k = 10 ORDER BY distance;
DELETE FROM t WHERE rowid % 9 = 4;
UPDATE t SET e = test_gauss(rowid + 1000, 24) WHERE rowid % 50 = 3;
UPDATE t SET a = a + 1 WHERE rowid % 5 = 2;
INSERT INTO t(t) VALUES('fold');
SELECT rowid, distance FROM t WHERE e MATCH test_gauss(-3, 24) AND k = 10 AND a < 3;
INSERT INTO t(t) VALUES('rebuild');
SELECT group_concat(rowid) FROM (SELECT rowid FROM t WHERE e MATCH test_gauss(-4, 24) AND k = 25 ORDER BY distance);
SELECT rowid, a, e FROM t WHERE rowid IN (3, 7, 400);
INSERT INTO t(t) VALUES('integrity-check');
DROP TABLE t;

-- content='', float, hnsw, int4
CREATE VIRTUAL TABLE t USING quire(e float[64] INDEXED BY hnsw(m=8, ef_construction=32, ef_search=16, quantizer=int4) distance_metric=cosine, a integer, content='', fold_rows=150);
INSERT INTO t(rowid, e, a) SELECT i, test_gauss(i, 64), i % 7 FROM n;
INSERT INTO t(t) VALUES('fold');
SELECT rowid, distance FROM t WHERE e MATCH test_gauss(-1, 64) AND k = 10 AND exact = 1;
SELECT rowid, distance FROM t WHERE e MATCH test_gauss(-2, 64) AND k = 10 ORDER BY distance;
DELETE FROM t WHERE rowid % 9 = 4;
UPDATE t SET e = test_gauss(rowid + 1000, 64) WHERE rowid % 50 = 3;
UPDATE t SET a = a + 1 WHERE rowid % 5 = 2;
INSERT INTO t(t) VALUES('fold');
SELECT rowid, distance FROM t WHERE e MATCH test_gauss(-3, 64) AND k = 10 AND a < 3;
INSERT INTO t(t) VALUES('rebuild');
SELECT group_concat(rowid) FROM (SELECT rowid FROM t WHERE e MATCH test_gauss(-4, 64) AND k = 25 ORDER BY distance);
SELECT rowid, a, e FROM t WHERE rowid IN (3, 7, 400);
INSERT INTO t(t) VALUES('integrity-check');
DROP TABLE t;

-- content='', float16, ivf
CREATE VIRTUAL TABLE t USING quire(e float16[32] INDEXED BY ivf(from_rows=1, nprobe=4) distance_metric=l2, a integer, content='', fold_rows=150);
INSERT INTO t(rowid, e, a) SELECT i, vec_f16(vec_f32(test_gauss(i, 32))), i % 7 FROM n;
INSERT INTO t(t) VALUES('fold');
SELECT rowid, distance FROM t WHERE e MATCH vec_f16(vec_f32(test_gauss(-1, 32))) AND k = 10 AND exact = 1;
SELECT rowid, distance FROM t WHERE e MATCH vec_f16(vec_f32(test_gauss(-2, 32))) AND k = 10 ORDER BY distance;
DELETE FROM t WHERE rowid % 9 = 4;
UPDATE t SET e = vec_f16(vec_f32(test_gauss(rowid + 1000, 32))) WHERE rowid % 50 = 3;
UPDATE t SET a = a + 1 WHERE rowid % 5 = 2;
INSERT INTO t(t) VALUES('fold');
SELECT rowid, distance FROM t WHERE e MATCH vec_f16(vec_f32(test_gauss(-3, 32))) AND k = 10 AND a < 3;
INSERT INTO t(t) VALUES('rebuild');
SELECT group_concat(rowid) FROM (SELECT rowid FROM t WHERE e MATCH vec_f16(vec_f32(test_gauss(-4, 32))) AND k = 25 ORDER BY distance);
SELECT rowid, a, e FROM t WHERE rowid IN (3, 7, 400);
INSERT INTO t(t) VALUES('integrity-check');
DROP TABLE t;

-- content='', bit, flat
CREATE VIRTUAL TABLE t USING quire(e bit[64] INDEXED BY flat(), a integer, content='', fold_rows=150);
INSERT INTO t(rowid, e, a) SELECT i, vec_quantize_binary(test_gauss(i, 64)), i % 7 FROM n;
INSERT INTO t(t) VALUES('fold');
SELECT rowid, distance FROM t WHERE e MATCH vec_quantize_binary(test_gauss(-1, 64)) AND k = 10 AND exact = 1;
SELECT rowid, distance FROM t WHERE e MATCH vec_quantize_binary(test_gauss(-2, 64)) AND k = 10 ORDER BY distance;
DELETE FROM t WHERE rowid % 9 = 4;
UPDATE t SET e = vec_quantize_binary(test_gauss(rowid + 1000, 64)) WHERE rowid % 50 = 3;
UPDATE t SET a = a + 1 WHERE rowid % 5 = 2;
INSERT INTO t(t) VALUES('fold');
SELECT rowid, distance FROM t WHERE e MATCH vec_quantize_binary(test_gauss(-3, 64)) AND k = 10 AND a < 3;
INSERT INTO t(t) VALUES('rebuild');
SELECT group_concat(rowid) FROM (SELECT rowid FROM t WHERE e MATCH vec_quantize_binary(test_gauss(-4, 64)) AND k = 25 ORDER BY distance);
SELECT rowid, a, e FROM t WHERE rowid IN (3, 7, 400);
INSERT INTO t(t) VALUES('integrity-check');
DROP TABLE t;

-- pages inline: a table of each index moves there and back
CREATE VIRTUAL TABLE t USING quire(e float[16] INDEXED BY hnsw(m=8, ef_construction=32, ef_search=16), f float[16] INDEXED BY ivf(from_rows=1, nprobe=4), s sparse[60] distance_metric=dot, fold_rows=100);
INSERT INTO t(rowid, e, f, s) SELECT i, test_gauss(i, 16), test_gauss(-i, 16), vec_sparse('{"' || (i % 7) || '":' || (i % 5 + 0.25) || ',"' || (10 + i * 7 % 23) || '":1}', 60) FROM n;
INSERT INTO quire(quire) VALUES('home=inline');
SELECT name, value FROM quire WHERE name IN ('home', 'status');
SELECT rowid, distance FROM t WHERE e MATCH test_gauss(-1, 16) AND k = 10;
SELECT rowid, distance FROM t WHERE f MATCH test_gauss(-2, 16) AND k = 10;
SELECT rowid, distance FROM t WHERE s MATCH '{2:1.5,12:-1,15:0.75}/60' AND k = 10;
DELETE FROM t WHERE rowid % 9 = 4;
UPDATE t SET e = test_gauss(rowid + 1000, 16) WHERE rowid % 5 = 3;
INSERT INTO t(t) VALUES('fold');
SELECT rowid, distance FROM t WHERE e MATCH test_gauss(-3, 16) AND k = 10;
INSERT INTO t(t) VALUES('integrity-check');
INSERT INTO quire(quire) VALUES('home=file');
SELECT name, value FROM quire WHERE name IN ('home', 'status');
SELECT rowid, distance FROM t WHERE e MATCH test_gauss(-3, 16) AND k = 10;
SELECT rowid, distance FROM t WHERE s MATCH '{2:1.5,12:-1,15:0.75}/60' AND k = 10;
INSERT INTO t(t) VALUES('integrity-check');
DROP TABLE t;

-- functions
SELECT i, vec_distance_l2(test_gauss(i, 33), test_gauss(-i, 33)), vec_distance_cosine(test_gauss(i, 33), test_gauss(-i, 33)), vec_distance_dot(test_gauss(i, 33), test_gauss(-i, 33)),
  vec_distance_l1(test_gauss(i, 33), test_gauss(-i, 33)) FROM n WHERE i <= 20;
SELECT vec_normalize(test_gauss(i, 7)), vec_add(test_gauss(i, 7), test_vector(i, 7)), vec_f16(vec_f32(test_gauss(i, 7))), vec_bf16(vec_f32(test_gauss(i, 7))) FROM n WHERE i <= 10;
SELECT vec_to_json(vec_avg(test_gauss(i, 5))), vec_to_json(vec_sum(test_gauss(i, 5))) FROM n;
SELECT vec_to_json('[1e-40, 3.4e38, -0.0, 0.1, 16777217]'), vec_f32('[1e39]');
SELECT vec_to_json(vec_hash_text('the quick brown fox', 16)), round(vec_distance_cosine(vec_hash_text('untill', 256), vec_hash_text('until', 256)), 6);
SELECT vec_distance_hamming(vec_bit(x'0ff0'), vec_bit(x'ffff')), vec_distance_jaccard(vec_bit(x'0ff0'), vec_bit(x'ffff')), vec_to_json(vec_int8('[-128, 127, 0]'));
SELECT 9223372036854775807, -9223372036854775808, typeof(1e400);

-- a map: integers of every size, floats, texts, blobs; rows of their own, then values in pages alone
CREATE VIRTUAL TABLE m USING quire_map(key INTEGER PRIMARY KEY, t TEXT, i INTEGER, r REAL, x, fold_rows=150);
INSERT INTO m SELECT i * 5 - 700, 'text ' || i, CASE i % 5 WHEN 0 THEN 0 WHEN 1 THEN -i WHEN 2 THEN i * 1000 WHEN 3 THEN i * 100000 ELSE -i * 100000000000 END, i / 7.0, CASE i % 4 WHEN 0 THEN zeroblob(i % 90) WHEN 1 THEN i WHEN 2 THEN 'x' END FROM n;
DELETE FROM m WHERE key % 35 = 0;
UPDATE m SET r = r * 2, x = t WHERE key BETWEEN 100 AND 400;
INSERT INTO m(m) VALUES('fold');
SELECT count(*), min(key), max(key), sum(i), sum(r), sum(length(t)), sum(length(x)) FROM m;
SELECT key, t, i, r, quote(x), typeof(i), typeof(r), typeof(x) FROM m WHERE key IN (-695, 105, 110, 900, 1) ORDER BY key DESC;
SELECT key, i FROM m WHERE key > 1000 ORDER BY key LIMIT 20;
SELECT rowid, vector FROM quire_get('m', '[110, 105, -695]', 'i');
CREATE VIRTUAL TABLE p USING quire_map(key INTEGER PRIMARY KEY, v, content='', fold_rows=100);
INSERT INTO p SELECT key, coalesce(x, r) FROM m;
INSERT INTO p(p) VALUES('optimize');
SELECT count(*), sum(length(v)), total(v) FROM p;
SELECT key, quote(v) FROM p WHERE key BETWEEN 90 AND 140;
DROP TABLE p;
DROP TABLE m;
