/*
 * vtab_events.c: events='log': changes of a vector table are events of a log that quire_create('events', ...) made.
 *
 * SQLite has no triggers on virtual tables, so xUpdate writes them: 'set' and 'delete', collection the table's name, key its key or
 * rowid. The statement is prepared before anything of a change is written, so that a log that is gone is an ordinary error.
 */
#include "script.h"
#include "vtab_int.h"

int vtab_events_check(VecTable *vt, char **error) {
  ScriptName names[] = {{"schema", vt->schema}, {"log", vt->spec->events}, {NULL, NULL}};
  int found = 0;
  int rc = script_one(vt->db, "SELECT 1 FROM \"{schema}\".\"{log}_meta\" WHERE kind = 'events'", names, NULL, &found,
                      NULL, NULL);
  if (rc == SQLITE_OK && found) return rc;
  if (rc && rc != SQLITE_ERROR) return rc;
  *error =
      sqlite3_mprintf("events=%s: schema %s has no event log of that name: SELECT quire_create('events', '%s') first",
                      vt->spec->events, vt->schema, vt->spec->events);
  return *error ? SQLITE_ERROR : SQLITE_NOMEM;
}

int vtab_events_begin(VecTable *vt) {
  ScriptName names[] = {{"schema", vt->schema}, {"log", vt->spec->events}, {NULL, NULL}};
  if (vt->spec->events == NULL || vt->event) return SQLITE_OK;
  return script_prepare(vt->db, "INSERT INTO \"{schema}\".\"{log}\"(type, collection, key) VALUES(?1, ?2, ?3)", names,
                        &vt->event);
}

void vtab_events_close(VecTable *vt) {
  sqlite3_finalize(vt->event);
  vt->event = NULL;
}

int vtab_event(VecTable *vt, const char *type, sqlite3_value *key, i64 rowid) {
  int rc;
  if (vt->event == NULL) return SQLITE_OK;
  rc = sqlite3_bind_text(vt->event, 1, type, -1, SQLITE_STATIC);
  if (rc == SQLITE_OK) rc = sqlite3_bind_text(vt->event, 2, vt->name, -1, SQLITE_STATIC);
  if (rc == SQLITE_OK) rc = key ? sqlite3_bind_value(vt->event, 3, key) : sqlite3_bind_int64(vt->event, 3, rowid);
  if (rc == SQLITE_OK) (void)sqlite3_step(vt->event);
  if (rc == SQLITE_OK) rc = sqlite3_reset(vt->event);
  sqlite3_clear_bindings(vt->event);
  return rc;
}

int vtab_events_all(VecTable *vt) {
  ScriptName names[] = {{"schema", vt->schema},
                        {"log", vt->spec->events},
                        {"table", vt->name},
                        {"key", vt->text_key ? vt->spec->column[vt->spec->key].name : content_rowid(vt->content)},
                        {NULL, NULL}};
  char *error = NULL;
  int rc;
  if (vt->spec->events == NULL) return SQLITE_OK;
  rc = script_run(vt->db,
                  "INSERT INTO \"{schema}\".\"{log}\"(type, collection, key)"
                  " SELECT 'delete', '{table}', \"{key}\" FROM \"{schema}\".\"{table}_content\"",
                  names, &error);
  sqlite3_free(error);
  return rc;
}
