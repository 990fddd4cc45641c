/*
 * hnsw_parts.h: what the parts of bench/hnsw.c share: settings, the two indexes, passes over the queries.
 *
 * A pass asks all queries of a set in a row and keeps the answers; they are checked when the clock has stopped.
 */
#ifndef BENCH_HNSW_PARTS_H
#define BENCH_HNSW_PARTS_H

#include "bench.h"
#include "data.h"
#include "peer.h"

#define K 10
#define M 16
#define EF_CONSTRUCTION 200
#define PAGE_BYTES 4096 /* of the page file */
#define FIXED_EF 64     /* where one ef is enough */

typedef struct Settings {
  const char *set, *dir, *lib;
  const char *index;     /* what stands after INDEXED BY */
  const char *fold_rows; /* for `commit`: a list of numbers; `default`: none given */
  size_t runs, build_rows, commits;
  int force, reuse, optimize, cpu_clock;
} Settings;
extern Settings settings;

/* Seconds, by the clock of the settings. */
double pass_clock(void);

/* --- Quire --- */

/* A database in the settings' folder, made anew, with an empty table t for the set. `options`: more of them, or "". */
sqlite3 *table_new(const char *file, const DataSet *set, const char *options);
/* The database of a set's rows, kept from an earlier run with the same index, library and rows if there is one. */
sqlite3 *table_kept(const DataSet *set, char *path, size_t path_size);
void table_path(const char *file, char *path, size_t path_size);
/* A line of the table `quire`; fails if there is none. */
sqlite3_int64 table_stat(sqlite3 *db, const char *name);
int index_is_exact(void); /* of the settings: ef means nothing */
int index_is_lists(void); /* ivf: ef is nprobe */

/* --- answers --- */

typedef struct Answers {
  int64_t *rowid;   /* DATA_QUERIES x K */
  double *distance; /* the same, as Quire gave it; NULL of the peer */
} Answers;

typedef struct Truth { /* what answers are compared with */
  const DataSet *set;  /* metric, queries */
  const float *vector; /* of rowid r: vector + (r - 1) * dim */
  size_t rowids;       /* the largest */
  const char *live;    /* of rowid r: live[r - 1] is not 0. NULL: all are */
  const float *kth;    /* of query q: the true distance of the K-th neighbour is kth[q * kth_stride + K - 1] */
  size_t kth_stride;
} Truth;

Truth truth_of(const DataSet *set);
Answers answers_new(void);
void answers_free(Answers *a);
/*
 * The part of the true neighbours that were found. Fails if a row is unknown, dead or given twice, if distances are not
 * those of the rows or not in order.
 */
double answers_recall(const Answers *a, const Truth *truth);

/* --- passes: seconds for DATA_QUERIES queries --- */

sqlite3_stmt *knn_prepare(sqlite3 *db);
double knn_pass(sqlite3_stmt *s, const DataSet *set, size_t ef, Answers *out);
/* A table's queries, whose index may be another than that of the settings. */
typedef struct TablePass {
  sqlite3_stmt *s;
  int exact, lists; /* index_is_exact(), index_is_lists() */
} TablePass;
TablePass table_pass(sqlite3 *db);

typedef struct PeerIndex {
  Peer *peer;
  float *query; /* those of the set, of length 1 if its metric is cosine */
} PeerIndex;

/* The queries of a set as the peer wants them. The caller frees. */
float *peer_queries(const DataSet *set);
PeerIndex peer_index_new(const DataSet *set, size_t max_rows);
/* The index of a set's rows, kept from an earlier run if there is one. */
PeerIndex peer_index_kept(const DataSet *set);
void peer_index_add(PeerIndex *p, const DataSet *set, const float *vector, size_t count, int64_t first_rowid);
double peer_index_pass(const PeerIndex *p, const DataSet *set, size_t ef, Answers *out);
void peer_index_free(PeerIndex *p);

/* --- comparing: each swept over its effort (ef or nprobe), timed next to the recalls that are asked for, in turns --- */

#define EFFORTS 24
extern const size_t graph_efs[EFFORTS], list_probes[EFFORTS];

typedef struct Contender {
  const char *name;
  const size_t *effort; /* EFFORTS, ascending */
  int exact;            /* the effort means nothing */
  double (*pass)(void *of, const DataSet *set, size_t effort, Answers *out);
  void *of;
} Contender;

Contender table_contender(const char *name, TablePass *table);
double peer_pass(void *peer_index, const DataSet *set, size_t ef, Answers *out);
/* Print the curves, and of each but the last how many times the queries/s of the last it has at equal recall. */
void compare_searches(const DataSet *set, const Contender *contender, size_t count);

/* --- the parts --- */

void bench_search(const DataSet *set);
void bench_lists(const DataSet *set);
void bench_build(const DataSet *set);
void bench_commit(const DataSet *set);
void bench_churn(const DataSet *set);
void bench_duplicates(const DataSet *set);
void bench_open(const DataSet *set);
void bench_size(const DataSet *set);
void bench_memory(const DataSet *set);
void bench_filter(const DataSet *set);

#endif
