-- Spelling help from vectors: the words of a dictionary that are nearest to a misspelt one.

-- 1. Words are rows of an ordinary table. A vector table holds one vector for each, under the same id.
CREATE TABLE word(id INTEGER PRIMARY KEY, word TEXT NOT NULL);
CREATE VIRTUAL TABLE word_vector USING quire(trigrams float[256] distance_metric=cosine);

-- 2. Read the system's word list and make the vectors, rows and vectors in one transaction.
--    vec_hash_text() hashes the letter triples of a text: words that share them get near vectors.
.timer on
BEGIN;
CREATE TABLE temp.line(word TEXT);
.import --csv --schema temp /usr/share/dict/words line
INSERT INTO word(word) SELECT word FROM temp.line;
INSERT INTO word_vector(rowid, trigrams) SELECT id, vec_hash_text(word, 256) FROM word;
COMMIT;
SELECT (SELECT count(*) FROM word) AS words, (SELECT count(*) FROM word_vector) AS vectors;

-- 3. The nearest words to a misspelt one.
SELECT word, round(distance, 3) AS d
FROM word_vector JOIN word ON word.id = word_vector.rowid
WHERE trigrams MATCH vec_hash_text('accomodate', 256)
ORDER BY distance LIMIT 5;

-- 4. Many at once: a join with a table of misspelt words, three answers for each.
WITH typo(text) AS (VALUES ('definately'), ('goverment'), ('neccessary'), ('occurence'), ('seperate'),
                           ('tommorrow'), ('untill'))
SELECT text AS misspelt, group_concat(word, ', ') AS nearest
FROM (SELECT text, word
      FROM typo JOIN word_vector ON trigrams MATCH vec_hash_text(text, 256) AND k = 3
                JOIN word ON word.id = word_vector.rowid
      ORDER BY text, distance)
GROUP BY text;

-- 5. With conditions on the rows. Swapped letters leave few triples alone, so that 'receive' is not among
--    the very nearest; but it is the fifth of those that are short and begin alike. LIMIT 5 gives five of them.
--    With exact = 1 every vector is compared, instead of those that the graph index leads to.
SELECT word, round(distance, 3) AS d
FROM word_vector JOIN word ON word.id = word_vector.rowid
WHERE trigrams MATCH vec_hash_text('recieve', 256) AND length(word) < 8 AND word LIKE 'rec%' AND exact = 1
ORDER BY distance LIMIT 5;
.timer off

-- 6. Vectors follow the transaction. Forget a word and its vector ...
BEGIN;
DELETE FROM word_vector WHERE rowid = (SELECT id FROM word WHERE word = 'tomorrow');
DELETE FROM word WHERE word = 'tomorrow';
SELECT word, round(distance, 3) AS d
FROM word_vector JOIN word ON word.id = word_vector.rowid
WHERE trigrams MATCH vec_hash_text('tommorrow', 256) ORDER BY distance LIMIT 3;
-- ... change your mind, and both are back.
ROLLBACK;
SELECT word, round(distance, 3) AS d
FROM word_vector JOIN word ON word.id = word_vector.rowid
WHERE trigrams MATCH vec_hash_text('tommorrow', 256) ORDER BY distance LIMIT 3;

-- 7. Where the vectors are: in pages beside the database; what changed last is still rows (the delta).
SELECT name, coalesce("table", '') AS "table", value FROM quire
WHERE name IN ('home', 'status', 'pages', 'live_slots', 'delta_rows');
INSERT INTO word_vector(word_vector) VALUES('integrity-check');
