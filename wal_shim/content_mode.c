/*
 * content_mode.c: what the store does differently where a table's rows are not its own.
 *
 *   content_rows      t_content has the rows, vectors among them: each with a tag, so that the last one says whether an overlay is current (D2)
 *   content_external  the user's own table has them, which is only read (D8)
 */
#include "store_int.h"

/* --- rows of ours --- */

static int tail_with_row(Table *t) {
  Store *s = t->store;
  const TableShape *c = &t->shape;
  return store_prepare(
      s, &t->stmt[TABLE_TAIL],
      "SELECT s.format, s.uuid, s.n, s.gen, s.root, s.crc, s.pages, s.owner, d.seq, d.tag, c.\"%w\", c.\"%w\" "
      "FROM %s.quire_state s "
      "LEFT JOIN %s.\"%w_delta\" d ON d.seq = (SELECT max(seq) FROM %s.\"%w_delta\") "
      "LEFT JOIN %s.\"%w\" c ON c.\"%w\" = (SELECT max(\"%w\") FROM %s.\"%w\") WHERE s.id = 1",
      c->rowid, c->tag, s->quoted, s->quoted, t->name, s->quoted, t->name, s->quoted, c->content, c->rowid, c->rowid,
      s->quoted, c->content);
}

static int tags_with_row(Table *t) {
  Store *s = t->store;
  return store_prepare(
      s, &t->stmt[TABLE_TAGS],
      "SELECT (SELECT tag FROM %s.\"%w_delta\" WHERE seq = ?1), (SELECT \"%w\" FROM %s.\"%w\" WHERE \"%w\" = ?2)",
      s->quoted, t->name, t->shape.tag, s->quoted, t->shape.content, t->shape.rowid);
}

static void stays(Table *t) { (void)t; }

const ContentMode content_rows = {1, tail_with_row, tags_with_row, stays, stays};

/* --- rows of the user's --- */

static int tail_of_delta(Table *t) {
  Store *s = t->store;
  return store_prepare(s, &t->stmt[TABLE_TAIL],
                       "SELECT s.format, s.uuid, s.n, s.gen, s.root, s.crc, s.pages, s.owner, d.seq, d.tag, NULL, NULL "
                       "FROM %s.quire_state s "
                       "LEFT JOIN %s.\"%w_delta\" d ON d.seq = (SELECT max(seq) FROM %s.\"%w_delta\") WHERE s.id = 1",
                       s->quoted, s->quoted, t->name, s->quoted, t->name);
}

static int tags_of_delta(Table *t) {
  return store_prepare(t->store, &t->stmt[TABLE_TAGS], "SELECT (SELECT tag FROM %s.\"%w_delta\" WHERE seq = ?1), ?2",
                       t->store->quoted, t->name);
}

/* D8 */
static void unsure_while_writing(Table *t) {
  t->unsure = sqlite3_txn_state(t->store->db, t->store->schema) == SQLITE_TXN_WRITE;
}

const ContentMode content_external = {0, tail_of_delta, tags_of_delta, unsure_while_writing, table_drop_overlay};
