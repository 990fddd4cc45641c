/*
 * hnsw.c: the graph index through SQL beside raw hnswlib in the same process, both M = 16, ef_construction = 200.
 *
 *   hnsw search SET      queries/s at recall@10 0.90, 0.95, 0.99: both swept over ef (INDEX=ivf(): nprobe) in turns,
 *                        log-linear between the points on either side
 *   hnsw lists SET       the same of ivf(), hnsw() and IVFFlat of faiss, all in turns (see hnsw_lists.c)
 *   hnsw build SET       vectors/s of one transaction, PRAGMA threads 1 and 2, against addPoint on one thread
 *   hnsw rebuild SET     vectors/s of 'rebuild' of the rows of one table, PRAGMA threads 1 and 2, against the same
 *   hnsw commit SET      one row per commit into 100,000: rows/s, latency, bytes written, by fold_rows;
 *                        queries with the delta half full
 *   hnsw open SET        the first query after opening
 *   hnsw size SET        the page file after 'optimize' against the raw vectors
 *   hnsw memory SET      what a connection adds to the process in 1,000 queries, mapped file pages not counted
 *   hnsw churn SET       recall while all rows are replaced in steps, beside a fresh build
 *   hnsw duplicates SET  10,000 equal vectors among the others: build, queries, recall
 *   hnsw filter SET      conditions by how many rows pass, beside hnswlib with a filter callback (see hnsw_filter.c)
 *   hnsw data SET        the set itself, its intrinsic dimension; with the peer's index made for later
 *
 * Sets are those of data.h. Environment:
 *   QUIRE_LIB             the extension, default ./quire
 *   BENCH_DIR             where sets, databases and hnswlib's indexes are kept for later runs, default /tmp
 *   INDEX                 what stands after INDEXED BY, default hnsw(m=16, ef_construction=200)
 *   RUNS                  of each measurement; medians are given. Default 5, `build` 1
 *   BUILD_ROWS            use the first rows of the set only
 *   CLOCK=cpu             search by processor time instead of time on the wall: for a machine with other work
 *   FORCE=1               make databases and indexes anew; else a database is kept for the same INDEX and library file,
 *   REUSE=1               or whatever library made it
 *   OPTIMIZE=1            'optimize' after making a database
 *   COMMITS, FOLD_ROWS    for `commit`: how many, default 20000; a list, default "default 256 1024 4096"
 */
#define _GNU_SOURCE 1
#include "hnsw_parts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- search --- */

static const double targets[] = {0.90, 0.95, 0.99};
#define TARGETS (sizeof targets / sizeof targets[0])
const size_t graph_efs[EFFORTS] = {10,  12,  16,  20,  25,  32,  40,  50,  64,   80,   100,  128,
                                   160, 200, 250, 320, 400, 500, 640, 800, 1000, 1280, 1600, 2000};
const size_t list_probes[EFFORTS] = {1,  2,  4,  6,  8,   10,  12,  16,  20,  24,  32,  40,
                                     48, 64, 80, 96, 128, 160, 200, 256, 320, 400, 512, 640};

typedef struct Curve {
  const size_t *effort;
  size_t count; /* points, by ascending effort */
  double recall[EFFORTS];
  int timed[EFFORTS]; /* next to a target */
  double qps[MAX_RUNS][EFFORTS];
} Curve;

/* The first point that reaches a target; count: none does. */
static size_t reaching(const Curve *c, double target) {
  size_t i = 0;
  while (i < c->count && c->recall[i] < target) i++;
  return i;
}

static void mark_timed(Curve *c) {
  for (size_t t = 0; t < TARGETS; t++) {
    size_t i = reaching(c, targets[t]);
    if (i < c->count) c->timed[i] = 1;
    if (i > 0) c->timed[i - 1] = 1;
  }
}

/* Queries/s at a recall, log-linear between points; the first point if that is above already, 0 if none reaches it. */
static double qps_at(const Curve *c, const double *qps, double target) {
  size_t i = reaching(c, target);
  double part;
  if (i == c->count) return 0;
  if (i == 0) return qps[0];
  part = (target - c->recall[i - 1]) / (c->recall[i] - c->recall[i - 1]);
  return exp(log(qps[i - 1]) + part * (log(qps[i]) - log(qps[i - 1])));
}

static double point_qps(const Curve *c, size_t runs, size_t point) {
  double v[MAX_RUNS];
  for (size_t r = 0; r < runs; r++) v[r] = c->qps[r][point];
  return bench_median(v, runs);
}

static void print_curve(const char *name, const Curve *c) {
  for (size_t i = 0; i < c->count; i++) {
    if (c->timed[i]) {
      double qps = point_qps(c, settings.runs, i);
      printf("%-14s %5zu  %.4f  %8.0f  %8.1f\n", name, c->effort[i], c->recall[i], qps, 1e6 / qps);
    }
  }
}

static void print_ratios(const char *name, const Curve *c, const Curve *peer) {
  for (size_t t = 0; t < TARGETS; t++) {
    double q[MAX_RUNS], p[MAX_RUNS], ratio[MAX_RUNS];
    for (size_t r = 0; r < settings.runs; r++) {
      q[r] = qps_at(c, c->qps[r], targets[t]);
      p[r] = qps_at(peer, peer->qps[r], targets[t]);
      ratio[r] = p[r] > 0 ? q[r] / p[r] : 0;
    }
    printf("%-14s %.2f%s %10.0f %12.0f", name, targets[t],
           reaching(c, targets[t]) == 0 || reaching(peer, targets[t]) == 0 ? "*" : " ", bench_median(q, settings.runs),
           bench_median(p, settings.runs));
    if (q[0] > 0 && p[0] > 0) {
      double middle = bench_median(ratio, settings.runs); /* sorts */
      printf("  %5.2f (%.2f to %.2f)\n", middle, ratio[0], ratio[settings.runs - 1]);
    } else {
      printf("  not reached\n");
    }
  }
}

/* Untimed: recalls, which end each curve at the last target, and warm caches. */
static void find_recalls(const Contender *c, const DataSet *set, const Truth *truth, Curve *curve, Answers *a) {
  curve->effort = c->effort;
  do {
    c->pass(c->of, set, c->effort[curve->count], a);
    curve->recall[curve->count] = answers_recall(a, truth);
  } while (curve->recall[curve->count++] < targets[TARGETS - 1] && curve->count < EFFORTS && !c->exact);
  mark_timed(curve);
}

void compare_searches(const DataSet *set, const Contender *c, size_t count) {
  Truth truth = truth_of(set);
  Answers *a = calloc(count, sizeof *a);
  Curve *curve = calloc(count, sizeof *curve);
  const Curve *peer = curve + count - 1;
  int first = 0;
  if (a == NULL || curve == NULL) bench_fail("no memory");
  for (size_t k = 0; k < count; k++) {
    a[k] = answers_new();
    find_recalls(&c[k], set, &truth, &curve[k], &a[k]);
  }
  for (size_t r = 0; r < settings.runs; r++) {
    for (size_t i = 0; i < EFFORTS; i++) {
      for (size_t k = 0; k < count; k++) {
        if (!curve[k].timed[i]) continue;
        curve[k].qps[r][i] = DATA_QUERIES / c[k].pass(c[k].of, set, c[k].effort[i], &a[k]);
        if (answers_recall(&a[k], &truth) != curve[k].recall[i])
          bench_fail("%s, %zu: another recall", c[k].name, c[k].effort[i]);
      }
    }
  }
  printf("index     ef or nprobe  recall       QPS  us/query\n");
  for (size_t k = 0; k < count; k++) print_curve(c[k].name, &curve[k]);
  printf("\nindex       recall         QPS  %s QPS  ratio (of the runs)\n", c[count - 1].name);
  for (size_t k = 0; k + 1 < count; k++) print_ratios(c[k].name, &curve[k], peer);
  for (size_t k = 0; k < count; k++) first |= reaching(&curve[k], targets[0]) == 0;
  if (first) printf("* the smallest ef or nprobe is above that recall already: its queries/s\n");
  for (size_t k = 0; k < count; k++) answers_free(&a[k]);
  free(a);
  free(curve);
}

void bench_search(const DataSet *set) {
  char path[1024];
  sqlite3 *db = table_kept(set, path, sizeof path);
  TablePass table = table_pass(db);
  PeerIndex peer = peer_index_kept(set);
  Contender c[] = {table_contender("Quire", &table), {"hnswlib", graph_efs, 0, peer_pass, &peer}};
  compare_searches(set, c, 2);
  sqlite3_finalize(table.s);
  sqlite3_close(db);
  peer_index_free(&peer);
}

/* --- build --- */

typedef struct Build {
  double rate, cpu_rate; /* vectors a second, a second of processor time */
  double recall;         /* at FIXED_EF */
} Build;

static Build build_quire(const DataSet *set, int threads, int rebuild) {
  Truth truth = truth_of(set);
  Answers a = answers_new();
  char path[1024], sql[64];
  double start, cpu;
  sqlite3_stmt *s;
  Build b;
  sqlite3 *db = table_new("build.db", set, "");
  snprintf(sql, sizeof sql, "PRAGMA threads = %d", threads);
  db_run(db, sql);
  if (rebuild) db_insert(db, set->base, set->rows, set->dim, 1, INSERT_ALL, NULL);
  start = bench_now();
  cpu = bench_cpu();
  if (rebuild)
    db_run(db, "INSERT INTO t(t) VALUES('rebuild')");
  else
    db_insert(db, set->base, set->rows, set->dim, 1, INSERT_ALL, NULL);
  b.rate = (double)set->rows / (bench_now() - start);
  b.cpu_rate = (double)set->rows / (bench_cpu() - cpu);
  if (db_value(db, "SELECT count(*) FROM t") != (sqlite3_int64)set->rows) bench_fail("build: rows are missing");
  s = knn_prepare(db);
  knn_pass(s, set, FIXED_EF, &a);
  b.recall = answers_recall(&a, &truth);
  sqlite3_finalize(s);
  sqlite3_close(db);
  table_path("build.db", path, sizeof path);
  db_remove(path);
  answers_free(&a);
  return b;
}

static Build build_peer(const DataSet *set) {
  Truth truth = truth_of(set);
  Answers a = answers_new();
  PeerIndex p = peer_index_new(set, set->rows);
  double start = bench_now(), cpu = bench_cpu();
  Build b;
  peer_index_add(&p, set, set->base, set->rows, 1);
  b.rate = (double)set->rows / (bench_now() - start);
  b.cpu_rate = (double)set->rows / (bench_cpu() - cpu);
  peer_index_pass(&p, set, FIXED_EF, &a);
  b.recall = answers_recall(&a, &truth);
  peer_index_free(&p);
  answers_free(&a);
  return b;
}

/* One line: medians of the runs, and of the ratios to the peer within each run. */
static void print_build(const char *name, const Build *runs, const Build *peer) {
  double rate[MAX_RUNS], cpu_rate[MAX_RUNS], ratio[MAX_RUNS], cpu_ratio[MAX_RUNS];
  for (size_t r = 0; r < settings.runs; r++) {
    rate[r] = runs[r].rate;
    cpu_rate[r] = runs[r].cpu_rate;
    ratio[r] = runs[r].rate / peer[r].rate;
    cpu_ratio[r] = runs[r].cpu_rate / peer[r].cpu_rate;
  }
  printf("%-18s %11.0f %7.2f %16.0f %7.2f %9.4f\n", name, bench_median(rate, settings.runs),
         bench_median(ratio, settings.runs), bench_median(cpu_rate, settings.runs),
         bench_median(cpu_ratio, settings.runs), runs[0].recall);
}

static void bench_built(const DataSet *set, int rebuild) {
  Build one[MAX_RUNS], two[MAX_RUNS], peer[MAX_RUNS];
  for (size_t r = 0; r < settings.runs; r++) {
    one[r] = build_quire(set, 1, rebuild);
    peer[r] = build_peer(set);
    two[r] = build_quire(set, 2, rebuild);
  }
  printf("build              vectors/s   ratio vectors/cpu-sec.   ratio   recall at ef %d\n", FIXED_EF);
  print_build("Quire, 1 thread", one, peer);
  print_build("Quire, 2 threads", two, peer);
  print_build("hnswlib, 1 thread", peer, peer);
}

void bench_build(const DataSet *set) { bench_built(set, 0); }

static void bench_rebuild(const DataSet *set) { bench_built(set, 1); }

/* --- the set --- */

static void bench_data(const DataSet *set) {
  PeerIndex p = peer_index_kept(set);
  Truth truth = truth_of(set);
  Answers a = answers_new();
  double recall = 0;
  printf("local intrinsic dimension %.1f\n\nhnswlib ef  recall       QPS\n", data_intrinsic_dimension(set));
  for (size_t i = 0; i < EFFORTS && recall < targets[TARGETS - 1]; i++) {
    double seconds = peer_index_pass(&p, set, graph_efs[i], &a);
    recall = answers_recall(&a, &truth);
    printf("%10zu  %.4f  %8.0f\n", graph_efs[i], recall, DATA_QUERIES / seconds);
  }
  answers_free(&a);
  peer_index_free(&p);
}

/* --- settings --- */

typedef struct Part {
  const char *name;
  void (*run)(const DataSet *set);
  size_t runs;
  int truth;
} Part;

static const Part parts[] = {
    {"search", bench_search, 5, 1},   {"lists", bench_lists, 3, 1},           {"build", bench_build, 1, 1},
    {"rebuild", bench_rebuild, 1, 1}, {"commit", bench_commit, 1, 0},         {"open", bench_open, 5, 0},
    {"size", bench_size, 1, 0},       {"memory", bench_memory, 1, 0},         {"filter", bench_filter, 3, 0},
    {"churn", bench_churn, 1, 1},     {"duplicates", bench_duplicates, 5, 1}, {"data", bench_data, 1, 1}};

static const char *text_setting(const char *name, const char *otherwise) {
  const char *v = getenv(name);
  return v && *v ? v : otherwise;
}

static size_t number_setting(const char *name, size_t otherwise) {
  const char *v = text_setting(name, NULL);
  char *end;
  unsigned long long n;
  if (v == NULL) return otherwise;
  n = strtoull(v, &end, 10);
  if (*end || *v == '-') bench_fail("%s=%s: a number was expected", name, v);
  return (size_t)n;
}

int main(int argc, char **argv) {
  const Part *part = NULL;
  DataSet set;
  for (size_t i = 0; argc == 3 && i < sizeof parts / sizeof parts[0]; i++) {
    if (strcmp(parts[i].name, argv[1]) == 0) part = &parts[i];
  }
  if (part == NULL)
    bench_fail("usage: hnsw search|lists|build|rebuild|commit|open|size|memory|churn|duplicates|filter|data SET   (see "
               "the head of "
               "bench/hnsw.c)");
  settings = (Settings){.set = argv[2],
                        .dir = text_setting("BENCH_DIR", "/tmp"),
                        .lib = text_setting("QUIRE_LIB", "./quire"),
                        .index = text_setting("INDEX", "hnsw(m=16, ef_construction=200)"),
                        .fold_rows = text_setting("FOLD_ROWS", "default 256 1024 4096"),
                        .runs = number_setting("RUNS", part->runs),
                        .build_rows = number_setting("BUILD_ROWS", 0),
                        .commits = number_setting("COMMITS", 20000),
                        .force = number_setting("FORCE", 0) != 0,
                        .reuse = number_setting("REUSE", 0) != 0,
                        .optimize = number_setting("OPTIMIZE", 0) != 0,
                        .cpu_clock = strcmp(text_setting("CLOCK", "wall"), "cpu") == 0};
  if (settings.runs < 1 || settings.runs > MAX_RUNS) bench_fail("RUNS: from 1 to %d", MAX_RUNS);
  data_open(settings.set, settings.dir, settings.build_rows, &set);
  if (part->truth) data_truth(settings.dir, &set);
  printf("%s of %s: %zu x %zu %s, INDEXED BY %s; %zu %s, %s\n", part->name, set.name, set.rows, set.dim,
         set.cosine ? "cosine" : "l2", settings.index, settings.runs, settings.runs == 1 ? "run" : "runs in turns",
         settings.cpu_clock ? "queries by processor time" : "time on the wall");
  fflush(stdout);
  part->run(&set);
  return 0;
}
