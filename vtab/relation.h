/*
 * relation.h: whose rows the vectors of a table belong to.
 *
 *   one_to_one    the vector's rowid is the parent's key
 *   one_to_many   a column of the vector table has the parent's key
 *   many_to_many  the ordinary table t_links(parent, vector), written by the user
 *
 * SQLite's own foreign keys do the checking: the content table (or t_links) has one, with the action RESTRICT or none, so that it is
 * enforced when PRAGMA foreign_keys is on, also against REPLACE and DROP TABLE of the parent. What they cannot do is delete from
 * a virtual table: for cascade and set_null there is a trigger on the parent, which does it before the key is checked.
 *
 * There is no other record of a relation than these: what the foreign key, the trigger and the link table say is read back, so that
 * renames, which SQLite carries into them, need no care. Scripts: sql/relation_*.sql; {id} in them is the table's id in quire_tables.
 */
#ifndef QUIRE_RELATION_H
#define QUIRE_RELATION_H

#include "spec.h"

/* Check that the parent is an ordinary table of the schema, and find its key if none was named. */
int relation_resolve(sqlite3 *db, const char *schema, Relation *relation, char **error);
/*
 * The clause that a content table needs beside its columns, "" if none. `key`: the vector table's first column, rowid or key.
 * Freed by sqlite3_free; NULL: out of memory.
 */
char *relation_clause(const Relation *relation, const char *key);
/* Make trigger, index and link table of a registered table whose content table has the clause. */
int relation_install(sqlite3 *db, const char *schema, const char *table, const Relation *relation, char **error);
/* Relate a table that is there already: its content table is made anew, in a savepoint of the caller's. */
int relation_add(sqlite3 *db, const char *schema, const char *table, Relation *relation, char **error);

/* The relation of a table as the schema has it; kind RELATION_NONE if there is none. Cleared by relation_clear. */
int relation_find(sqlite3 *db, const char *schema, const char *table, Relation *out);
/* Only what the content table tells: not many-to-many, nor set_null, which looks like cascade. */
int relation_of_content(sqlite3 *db, const char *schema, const char *table, Relation *out);
int relation_drop(sqlite3 *db, const char *schema, const char *table);
/* The content table has its new name already. */
int relation_rename(sqlite3 *db, const char *schema, const char *from, const char *to);
/* Compare both sides. *problem: NULL if sound, else a sentence, freed by sqlite3_free. */
int relation_check(sqlite3 *db, const char *schema, const char *table, char **problem);
/* Whether the foreign key would refuse the parent's key now: SQLITE_CONSTRAINT_FOREIGNKEY, SQLITE_OK or an error. */
int relation_test(sqlite3 *db, const char *schema, const Relation *relation, sqlite3_value *key, i64 rowid);

const char *relation_kind_name(RelationKind kind);
const char *relation_action_name(OnDelete action);

#endif
