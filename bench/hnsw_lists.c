/*
 * hnsw_lists.c: ivf() and hnsw() through SQL beside IVFFlat of faiss and raw hnswlib, at equal recall, in turns, on one thread.
 *
 * faiss is faiss-cpu of PyPI, which uses AVX: it runs in a process of Python (bench/peer_faiss.py) that is asked through pipes, and gets all queries in one
 * call. The others get them one by one. Environment, beside that of hnsw.c:
 *
 *   FAISS_PYTHON          a Python that has faiss and numpy, default python3; empty: leave faiss out
 *   INDEXES               of "ivf hnsw", the ones of ours; default both
 */
#define _GNU_SOURCE 1
#include "hnsw_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define OURS 2

typedef struct Faiss {
  FILE *ask, *answer;
  pid_t pid;
} Faiss;

static void run_python(const DataSet *set, const char *python) {
  char vectors[1024], kept[1024], name[128], rows_of_file[32], rows[32], dim[32];
  snprintf(name, sizeof name, "%s.vectors", set->name);
  table_path(name, vectors, sizeof vectors);
  snprintf(name, sizeof name, "%s-%zu.faiss", set->name, set->rows);
  table_path(name, kept, sizeof kept);
  snprintf(rows_of_file, sizeof rows_of_file, "%zu", (size_t)(set->query - set->base) / set->dim);
  snprintf(rows, sizeof rows, "%zu", set->rows);
  snprintf(dim, sizeof dim, "%zu", set->dim);
  execlp(python, python, "bench/peer_faiss.py", vectors, rows_of_file, rows, dim, set->cosine ? "1" : "0",
         settings.cpu_clock ? "cpu" : "wall", kept, (char *)NULL);
  bench_fail("%s: cannot start it", python);
}

static Faiss faiss_open(const DataSet *set, const char *python) {
  int to[2], from[2];
  Faiss f;
  if (pipe(to) != 0 || pipe(from) != 0) bench_fail("no pipe");
  fflush(stdout);
  f.pid = fork();
  if (f.pid < 0) bench_fail("no process");
  if (f.pid == 0) {
    dup2(to[0], 0);
    dup2(from[1], 1);
    close(to[1]);
    close(from[0]);
    run_python(set, python);
  }
  close(to[0]);
  close(from[1]);
  f.ask = fdopen(to[1], "w");
  f.answer = fdopen(from[0], "r");
  if (f.ask == NULL || f.answer == NULL) bench_fail("no pipe");
  return f;
}

static double faiss_pass(void *of, const DataSet *set, size_t nprobe, Answers *out) {
  Faiss *f = of;
  size_t count = DATA_QUERIES * K;
  double seconds = 0;
  (void)set;
  fprintf(f->ask, "%zu\n", nprobe);
  fflush(f->ask);
  if (fread(&seconds, sizeof seconds, 1, f->answer) != 1 ||
      fread(out->rowid, sizeof *out->rowid, count, f->answer) != count)
    bench_fail("faiss: no answer; pip install faiss-cpu numpy, and FAISS_PYTHON=the python that has them");
  for (size_t i = 0; i < count; i++) out->rowid[i]++; /* rows are numbered from 0 there */
  return seconds;
}

static void faiss_close(Faiss *f) {
  fclose(f->ask);
  fclose(f->answer);
  waitpid(f->pid, NULL, 0);
}

void bench_lists(const DataSet *set) {
  static const char *const index[OURS] = {"ivf()", "hnsw(m=16, ef_construction=200)"};
  static const char *const name[OURS] = {"ivf", "hnsw"};
  const char *wanted = getenv("INDEXES"), *python = getenv("FAISS_PYTHON");
  sqlite3 *db[OURS] = {NULL};
  TablePass table[OURS];
  PeerIndex peer = peer_index_kept(set);
  Faiss faiss;
  Contender c[OURS + 2];
  size_t count = 0;
  char path[1024];
  if (python == NULL) python = "python3";
  for (size_t i = 0; i < OURS; i++) {
    if (wanted && strstr(wanted, name[i]) == NULL) continue;
    settings.index = index[i];
    db[i] = table_kept(set, path, sizeof path);
    table[i] = table_pass(db[i]);
    c[count++] = table_contender(name[i], &table[i]);
  }
  if (*python) {
    faiss = faiss_open(set, python);
    c[count++] = (Contender){"faiss IVFFlat", list_probes, 0, faiss_pass, &faiss};
  }
  c[count++] = (Contender){"hnswlib", graph_efs, 0, peer_pass, &peer};
  compare_searches(set, c, count);
  if (*python) faiss_close(&faiss);
  for (size_t i = 0; i < OURS; i++) {
    if (db[i] == NULL) continue;
    sqlite3_finalize(table[i].s);
    sqlite3_close(db[i]);
  }
  peer_index_free(&peer);
}
