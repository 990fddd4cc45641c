/*
 * spec.h: a vector table as CREATE VIRTUAL TABLE describes it.
 */
#ifndef QUIRE_SPEC_H
#define QUIRE_SPEC_H

#include "../vector/index.h"

/* COL_RECORD: the values of a map, one column of the rows but several of SQLite's (vector/record.h). */
typedef enum { COL_VECTOR, COL_KEY, COL_PARTITION, COL_METADATA, COL_AUXILIARY, COL_RECORD } ColumnKind;
typedef enum { TYPE_NONE, TYPE_INTEGER, TYPE_FLOAT, TYPE_BOOLEAN, TYPE_TEXT, TYPE_BLOB } ValueType;

typedef struct Column {
  ColumnKind kind;
  char *name;
  ValueType type; /* all but vectors */
  Elem elem;      /* vectors, records */
  Metric metric;
  u32 dim;          /* of a record: its values */
  IndexShape index; /* what CREATE says; what counts is in the registry, where commands change it (table_shape) */
} Column;

/* What lies in pages: its cells are not among the plain ones of a row (content.h). */
static inline int column_in_pages(const Column *column) {
  return column->kind == COL_VECTOR || column->kind == COL_RECORD;
}

/* A column of a map, with the name, type and affinity that an ordinary table would have. */
typedef struct ValueColumn {
  char *name, *type;    /* type: as it is written, "" for none */
  const char *affinity; /* as content_affinity() says */
  int not_null;
} ValueColumn;

/* What differs between the modules `quire`, `vec0` and `quire_map`, and nowhere else. */
typedef struct Dialect {
  const char *module;        /* "quire", "vec0", "quire_map" */
  const char *commands;      /* words about those that are known */
  int values;                /* columns are values, of no vector (quire_map) */
  int rowid_not_null;        /* rowid is declared so, which lets min() end at the first row (not vec0, as sqlite-vec) */
  int null_vector_unchanged; /* in UPDATE: a NULL vector leaves the vector as it is (vec0), else it means no vector */
  int null_vector_insert;    /* INSERT without a vector is allowed (quire) */
  int null_values;           /* metadata may be NULL (quire) */
  int integer_as_float;      /* a FLOAT column takes an integer and stores the float (quire) */
  int ignore_trailing_words; /* words after a column's type are ignored (vec0), else they are an error */
  int refuse_k_and_limit;    /* `k = ?` and LIMIT together are an error (vec0) */
  int default_auto;          /* the index of a column that does not say: auto() (quire), else flat() (vec0) */
  int content;               /* content= is known (quire) */
  int sparse;                /* sparse columns are (quire) */
  int chunk_tables;          /* its tables may be sqlite-vec's, in chunks (vec0) */
  i64 max_k;                 /* 4096 in vec0, no limit in quire */
} Dialect;

extern const Dialect dialect_quire, dialect_vec0, dialect_map;

typedef enum { RELATION_NONE, ONE_TO_ONE, ONE_TO_MANY, MANY_TO_MANY } RelationKind;
typedef enum { ON_DELETE_CASCADE, ON_DELETE_RESTRICT, ON_DELETE_SET_NULL } OnDelete;

/* Whose rows the vectors belong to: relation.h. The strings are owned. */
typedef struct Relation {
  RelationKind kind;
  OnDelete on_delete;
  char *parent, *key; /* relates_to='parent(key)'; key NULL: the parent's primary key */
  char *column;       /* parent_column: of one-to-many, the column that has the parent's key */
} Relation;

typedef struct TableSpec {
  const Dialect *dialect;
  Column *column; /* in the order of declaration */
  int column_count;
  int key;            /* index of the primary key column, or -1 */
  ValueColumn *value; /* of the record column */
  int value_count;    /* 0: there is none */
  u32 fold_rows;      /* 0: the default */
  Relation relation;
  char *model;                   /* what has made the vectors, or NULL: not told */
  char *events;                  /* the log that changes go to, or NULL */
  int content_pages;             /* content='': vectors in pages alone */
  char *content, *content_rowid; /* the user's table that has the rows, and its key (external.h); both or none */
} TableSpec;

/*
 * Parse the arguments of CREATE VIRTUAL TABLE (argv[3..], as SQLite hands them to xCreate).
 *   *error  on SQLITE_ERROR, in sqlite-vec's words where it has some; freed by sqlite3_free
 */
int spec_parse(const Dialect *dialect, const char *table, int argc, const char *const *argv, TableSpec **out,
               char **error);
/* Whether a column or value is called so, in any case. */
int spec_has_column(const TableSpec *spec, const char *name);
void spec_free(TableSpec *spec);
/*
 * Parse a relation by itself: `relates_to` is parent(key), argv further options such as "relation=one_to_many".
 *   out     emptied first; cleared by relation_clear
 */
int spec_parse_relation(const char *relates_to, int argc, const char *const *argv, Relation *out, char **error);
void relation_clear(Relation *relation);

/* --- indexes (vtab_index.c) --- */

#define EF_SEARCH_MIN 8
#define EF_SEARCH_MAX 4096
#define NPROBE_MIN 1
#define NPROBE_MAX 65535
#define OVERSAMPLE_MAX 100

/*
 * Parse an index as the command 'rebuild=...' names it, "hnsw(m=32)", for column `column`.
 *   *error  on SQLITE_ERROR; freed by sqlite3_free
 */
int spec_parse_index(const TableSpec *spec, int column, const char *text, IndexShape *out, char **error);
/* "flat", "hnsw", "auto" */
const char *index_word(const IndexShape *index);

#endif
