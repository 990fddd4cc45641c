/*
 * workers.h: the same job over many indexes, by several threads.
 *
 * Results must not depend on which thread does what: a job writes only what belongs to its index, or to its worker's own memory.
 */
#ifndef QUIRE_WORKERS_H
#define QUIRE_WORKERS_H

#include "../wal_shim/base.h"

#define MAX_WORKERS 64u

typedef struct Workers Workers;
typedef void (*WorkerJob)(void *arg, u32 worker, u32 index);

/* `threads` of them, the caller's own included; fewer where threads cannot be made, one where SQLite was built without. */
int workers_open(u32 threads, Workers **out);
u32 workers_count(const Workers *workers);
/* job(arg, worker, i) for each i below count; returns when all are done. Only from the thread that opened them. */
void workers_run(Workers *workers, WorkerJob job, void *arg, u32 count);
void workers_close(Workers *workers);

#endif
