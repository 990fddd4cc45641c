/*
 * workers.c: a few threads that wait for jobs. See workers.h.
 */
#include "workers.h"

#if !defined(_WIN32) && !defined(QUIRE_NO_THREADS)
#include <pthread.h>
#define HAVE_THREADS 1
#endif

struct Workers {
  u32 count;
  WorkerJob job;
  void *arg;
  u32 next, end; /* the next index that nobody has taken */
#if defined(HAVE_THREADS)
  pthread_t thread[MAX_WORKERS];
  pthread_mutex_t lock;
  pthread_cond_t begun, ended;
  u32 round, busy, number;
  int closing;
#endif
};

#if defined(HAVE_THREADS)

/* Take indexes until there are none. */
static void work(Workers *w, u32 worker) {
  for (;;) {
    u32 i = __atomic_fetch_add(&w->next, 1, __ATOMIC_RELAXED);
    if (i >= w->end) return;
    w->job(w->arg, worker, i);
  }
}

static void *worker_main(void *arg) {
  Workers *w = arg;
  u32 round = 0, me;
  pthread_mutex_lock(&w->lock);
  me = ++w->number;
  for (;;) {
    while (w->round == round && !w->closing) pthread_cond_wait(&w->begun, &w->lock);
    if (w->closing) break;
    round = w->round;
    pthread_mutex_unlock(&w->lock);
    work(w, me);
    pthread_mutex_lock(&w->lock);
    if (--w->busy == 0) pthread_cond_signal(&w->ended);
  }
  pthread_mutex_unlock(&w->lock);
  return NULL;
}

int workers_open(u32 threads, Workers **out) {
  int rc = SQLITE_OK;
  Workers *w = mem_zeroed(&rc, 1, sizeof *w);
  *out = w;
  if (rc) return rc;
  w->count = 1;
  if (threads < 2 || !sqlite3_threadsafe()) return SQLITE_OK;
  if (pthread_mutex_init(&w->lock, NULL)) return SQLITE_OK;
  if (pthread_cond_init(&w->begun, NULL)) {
    pthread_mutex_destroy(&w->lock);
    return SQLITE_OK;
  }
  if (pthread_cond_init(&w->ended, NULL)) {
    pthread_cond_destroy(&w->begun);
    pthread_mutex_destroy(&w->lock);
    return SQLITE_OK;
  }
  while (w->count < MIN(threads, MAX_WORKERS) && pthread_create(&w->thread[w->count], NULL, worker_main, w) == 0)
    w->count++;
  if (w->count == 1) {
    pthread_cond_destroy(&w->begun);
    pthread_cond_destroy(&w->ended);
    pthread_mutex_destroy(&w->lock);
  }
  return SQLITE_OK;
}

void workers_run(Workers *w, WorkerJob job, void *arg, u32 count) {
  u32 i;
  if (w->count == 1 || count < 2) {
    for (i = 0; i < count; i++) job(arg, 0, i);
    return;
  }
  pthread_mutex_lock(&w->lock);
  w->job = job;
  w->arg = arg;
  w->next = 0;
  w->end = count;
  w->busy = w->count - 1;
  w->round++;
  pthread_cond_broadcast(&w->begun);
  pthread_mutex_unlock(&w->lock);
  work(w, 0);
  pthread_mutex_lock(&w->lock);
  while (w->busy) pthread_cond_wait(&w->ended, &w->lock);
  pthread_mutex_unlock(&w->lock);
}

void workers_close(Workers *w) {
  u32 i;
  if (w == NULL) return;
  if (w->count > 1) {
    pthread_mutex_lock(&w->lock);
    w->closing = 1;
    pthread_cond_broadcast(&w->begun);
    pthread_mutex_unlock(&w->lock);
    for (i = 1; i < w->count; i++) pthread_join(w->thread[i], NULL);
    pthread_cond_destroy(&w->begun);
    pthread_cond_destroy(&w->ended);
    pthread_mutex_destroy(&w->lock);
  }
  mem_free(w);
}

#else

int workers_open(u32 threads, Workers **out) {
  int rc = SQLITE_OK;
  (void)threads;
  *out = mem_zeroed(&rc, 1, sizeof **out);
  if (rc == SQLITE_OK) (*out)->count = 1;
  return rc;
}

void workers_run(Workers *w, WorkerJob job, void *arg, u32 count) {
  u32 i;
  (void)w;
  for (i = 0; i < count; i++) job(arg, 0, i);
}

void workers_close(Workers *w) { mem_free(w); }

#endif

u32 workers_count(const Workers *w) { return w->count; }
