/*
 * data.c: making, keeping and searching the data sets.
 *
 * Compiled without contraction of floating-point expressions, and sums run over latent dimensions in order: the vectors
 * are the same bits on all machines with the same libm.
 */
#define _GNU_SOURCE 1
#include "data.h"
#include "bench.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_LATENT 128
#define FIRST_MORE ((uint64_t)1 << 41) /* numbers of vectors that are neither rows nor queries */

/* --- vectors from numbers --- */

typedef struct Mixture {
  uint64_t seed;
  size_t latent, centres;
  float spread_low, spread_high; /* standard deviation within a cluster; that of the centres is 1 */
  float decay;                   /* latent dimension j is scaled by (j + 1) to the power of -decay */
  float bend;                    /* tanh(bend * x) of each element x, which has a variance of about 1 */
  float noise;                   /* standard deviation of what is added to each element */
} Mixture;

static const Mixture clustered = {1, 32, 1000, 0.7f, 1.4f, 0, 0.85f, 0.02f};
static const Mixture hard = {2, 64, 1000, 0.8f, 1.6f, 0.42f, 0.85f, 0.05f};

typedef struct Random {
  uint64_t state;
  float spare;
  int has_spare;
} Random;

/* splitmix64: Steele, Lea and Flood 2014. */
static uint64_t mix(uint64_t x) {
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
  x = (x ^ x >> 27) * 0x94d049bb133111ebu;
  return x ^ x >> 31;
}
static uint64_t next(Random *r) { return mix(r->state += 0x9e3779b97f4a7c15u); }
static Random random_of(uint64_t seed, uint64_t number) { return (Random){mix(mix(seed) + number), 0, 0}; }

/* Box and Muller 1958, both values used. */
static float gauss(Random *r) {
  double radius, angle;
  if (r->has_spare) {
    r->has_spare = 0;
    return r->spare;
  }
  radius = sqrt(-2 * log(((double)(next(r) >> 11) + 0.5) / 9007199254740992.0));
  angle = 6.283185307179586 * (double)(next(r) >> 11) / 9007199254740992.0;
  r->spare = (float)(radius * sin(angle));
  r->has_spare = 1;
  return (float)(radius * cos(angle));
}

typedef struct Generator {
  const Mixture *mixture;
  size_t dim;
  float *lift;   /* latent x dim */
  float *centre; /* centres x latent */
  float *spread; /* of each centre */
  float scale[MAX_LATENT];
} Generator;

static void generator_init(const Mixture *m, size_t dim, Generator *g) {
  Random r = random_of(m->seed, UINT64_MAX);
  float power = 0;
  g->mixture = m;
  g->dim = dim;
  g->lift = bench_alloc(m->latent * dim * sizeof(float));
  g->centre = bench_alloc(m->centres * m->latent * sizeof(float));
  g->spread = bench_alloc(m->centres * sizeof(float));
  for (size_t j = 0; j < m->latent; j++) {
    g->scale[j] = powf((float)(j + 1), -m->decay);
    power += g->scale[j] * g->scale[j];
  }
  for (size_t j = 0; j < m->latent; j++) g->scale[j] /= sqrtf(power);
  for (size_t i = 0; i < m->centres * m->latent; i++) g->centre[i] = gauss(&r);
  for (size_t i = 0; i < m->centres; i++) {
    float t = (float)(next(&r) >> 40) / 16777216.0f;
    g->spread[i] = m->spread_low * powf(m->spread_high / m->spread_low, t);
  }
  for (size_t i = 0; i < m->latent * dim; i++) g->lift[i] = gauss(&r);
}

static void generator_free(Generator *g) {
  free(g->lift);
  free(g->centre);
  free(g->spread);
}

static void generate_one(const Generator *g, uint64_t number, float *out) {
  const Mixture *m = g->mixture;
  Random r = random_of(m->seed, number);
  size_t c = (size_t)(next(&r) % m->centres);
  for (size_t i = 0; i < g->dim; i++) out[i] = 0;
  for (size_t j = 0; j < m->latent; j++) {
    const float *row = g->lift + j * g->dim;
    float z = g->scale[j] * (g->centre[c * m->latent + j] + g->spread[c] * gauss(&r));
    for (size_t i = 0; i < g->dim; i++) out[i] += z * row[i];
  }
  for (size_t i = 0; i < g->dim; i++) out[i] = tanhf(m->bend * out[i]) + m->noise * gauss(&r);
}

static void generate(const Mixture *m, size_t dim, uint64_t first, size_t count, float *out) {
  Generator g;
  generator_init(m, dim, &g);
  for (size_t i = 0; i < count; i++) generate_one(&g, first + i, out + i * dim);
  generator_free(&g);
}

float *data_clustered(size_t dim, uint64_t first, size_t count) {
  float *out = bench_alloc(count * dim * sizeof(float));
  generate(&clustered, dim, first, count, out);
  return out;
}

/* --- the sets --- */

typedef struct Recipe {
  const char *name;
  size_t rows, dim;
  int cosine;
  const Mixture *mixture; /* NULL: MNIST */
} Recipe;

static const Recipe recipes[] = {{"s100", 100000, 128, 0, &clustered},
                                 {"c100", 100000, 768, 1, &clustered},
                                 {"r1m", 1000000, 128, 0, &hard},
                                 {"mnist", 9000, 784, 0, NULL}};

static const Recipe *recipe_of(const char *name) {
  for (size_t i = 0; i < sizeof recipes / sizeof recipes[0]; i++) {
    if (strcmp(recipes[i].name, name) == 0) return &recipes[i];
  }
  bench_fail("no data set '%s'; there are s100, c100, r1m and mnist", name);
}

/* MNIST from QUIRE_DATA, else ../shared/data: 4 big-endian words (magic, count, rows, columns), a byte an element. */
static void read_mnist(size_t count, size_t dim, float *out) {
  const char *dir = getenv("QUIRE_DATA") ? getenv("QUIRE_DATA") : "../shared/data";
  static const unsigned char want[16] = {0, 0, 8, 3, 0, 0, 39, 16, 0, 0, 0, 28, 0, 0, 0, 28};
  unsigned char head[16], *bytes = bench_alloc(count * dim);
  char command[1024];
  FILE *f;
  snprintf(command, sizeof command, "gzip -dc '%s/mnist-t10k-images-idx3-ubyte.gz'", dir);
  f = popen(command, "r");
  if (f == NULL || fread(head, 1, sizeof head, f) != sizeof head || memcmp(head, want, sizeof head) != 0 ||
      fread(bytes, dim, count, f) != count) {
    bench_fail("no MNIST: %s failed; set QUIRE_DATA to the folder that has the file", command);
  }
  pclose(f);
  for (size_t i = 0; i < count * dim; i++) out[i] = bytes[i];
  free(bytes);
}

/* Identity of a file's contents: the recipe, and how many rows or neighbours. */
typedef struct Key {
  char magic[8], name[8];
  uint64_t rows, dim, queries, neighbours;
  Mixture mixture;
} Key;
#define HEAD_SIZE 4096 /* of a file: the Key and zeros, so that what follows begins on a page */
_Static_assert(sizeof(Key) <= HEAD_SIZE, "the key is in the head");

static Key key_of(const Recipe *recipe, const char *magic, size_t rows, size_t neighbours) {
  Key key;
  memset(&key, 0, sizeof key);
  strncpy(key.magic, magic, sizeof key.magic);
  strncpy(key.name, recipe->name, sizeof key.name);
  key.rows = rows;
  key.dim = recipe->dim;
  key.queries = DATA_QUERIES;
  key.neighbours = neighbours;
  if (recipe->mixture) key.mixture = *recipe->mixture;
  return key;
}

/* The mapped contents behind the head of a file, or NULL if there is none with this key and size. */
static const void *map_file(const char *path, const Key *key, size_t size) {
  Key found;
  struct stat st;
  void *p = NULL;
  int fd = open(path, O_RDONLY);
  if (fd < 0) return NULL;
  if (read(fd, &found, sizeof found) == sizeof found && memcmp(&found, key, sizeof found) == 0 && fstat(fd, &st) == 0 &&
      (size_t)st.st_size == HEAD_SIZE + size) {
    p = mmap(NULL, HEAD_SIZE + size, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
    if (p == MAP_FAILED) bench_fail("%s: cannot map it", path);
  }
  close(fd);
  return p ? (const char *)p + HEAD_SIZE : NULL;
}

/* Write a file under another name, then rename it: an interrupted run leaves none that looks whole. */
static void write_file(const char *path, const Key *key, const void *a, size_t a_size, const void *b, size_t b_size) {
  static const char zeros[HEAD_SIZE];
  char temporary[1024];
  FILE *f;
  snprintf(temporary, sizeof temporary, "%s.part", path);
  f = fopen(temporary, "wb");
  if (f == NULL || fwrite(key, sizeof *key, 1, f) != 1 || fwrite(zeros, HEAD_SIZE - sizeof *key, 1, f) != 1 ||
      fwrite(a, 1, a_size, f) != a_size || fwrite(b, 1, b_size, f) != b_size || fclose(f) != 0 ||
      rename(temporary, path) != 0) {
    bench_fail("%s: cannot write it", path);
  }
}

void data_open(const char *name, const char *dir, size_t rows, DataSet *out) {
  const Recipe *recipe = recipe_of(name);
  size_t base_count = recipe->rows * recipe->dim, query_count = DATA_QUERIES * recipe->dim;
  size_t size = (base_count + query_count) * sizeof(float);
  Key key = key_of(recipe, "qbdata1", recipe->rows, 0);
  char path[1024];
  const float *p;
  snprintf(path, sizeof path, "%s/%s.vectors", dir, name);
  p = map_file(path, &key, size);
  if (p == NULL) {
    float *made = bench_alloc(size);
    if (recipe->mixture) {
      generate(recipe->mixture, recipe->dim, 0, recipe->rows, made);
      generate(recipe->mixture, recipe->dim, DATA_FIRST_QUERY, DATA_QUERIES, made + base_count);
    } else {
      read_mnist(recipe->rows + DATA_QUERIES, recipe->dim, made);
    }
    write_file(path, &key, made, size, NULL, 0);
    free(made);
    p = map_file(path, &key, size);
    if (p == NULL) bench_fail("%s: not as it was written", path);
  }
  if (rows > recipe->rows) bench_fail("%s has %zu rows, not %zu", name, recipe->rows, rows);
  *out =
      (DataSet){recipe->name, rows ? rows : recipe->rows, recipe->dim, recipe->cosine, p, p + base_count, NULL, NULL};
}

float *data_more(const DataSet *set, size_t first, size_t count) {
  const Recipe *recipe = recipe_of(set->name);
  float *out = bench_alloc(count * set->dim * sizeof(float));
  if (recipe->mixture == NULL)
    bench_fail("%s has no more vectors than its rows and queries; take a generated set", set->name);
  generate(recipe->mixture, set->dim, FIRST_MORE + first, count, out);
  return out;
}

/* --- true neighbours --- */

/* What a vector is multiplied by before it is compared. */
static float scale_of(const DataSet *set, const float *v) {
  double sum = 0;
  if (!set->cosine) return 1;
  for (size_t i = 0; i < set->dim; i++) sum += (double)v[i] * (double)v[i];
  return sum > 0 ? (float)(1 / sqrt(sum)) : 0;
}

float data_distance(const DataSet *set, const float *a, const float *b) {
  float sa = scale_of(set, a), sb = scale_of(set, b);
  double sum = 0;
  for (size_t i = 0; i < set->dim; i++) {
    double x = (double)(sa * a[i]) - (double)(sb * b[i]);
    sum += x * x;
  }
  return (float)sum;
}

#define BLOCK 64 /* vectors compared with one query at a time: their distances stay in registers */

/* A block of vectors, scaled, as dim x BLOCK; missing ones are zero. */
static void transpose(const DataSet *set, const float *vector, size_t count, float *block) {
  memset(block, 0, set->dim * BLOCK * sizeof(float));
  for (size_t i = 0; i < count; i++) {
    const float *v = vector + i * set->dim;
    float s = scale_of(set, v);
    for (size_t j = 0; j < set->dim; j++) block[j * BLOCK + i] = s * v[j];
  }
}

static void block_distances(const float *restrict block, const float *restrict query, size_t dim, float *restrict out) {
  float sum[BLOCK] = {0};
  for (size_t j = 0; j < dim; j++) {
    for (size_t i = 0; i < BLOCK; i++) {
      float x = block[j * BLOCK + i] - query[j];
      sum[i] += x * x;
    }
  }
  memcpy(out, sum, sizeof sum);
}

void data_exact(const DataSet *set, const float *vector, size_t count, const float *query, size_t queries, size_t k,
                uint32_t *near, float *distance) {
  float *block = bench_alloc(set->dim * BLOCK * sizeof(float)),
        *scaled = bench_alloc(queries * set->dim * sizeof(float));
  float found[BLOCK];
  for (size_t q = 0; q < queries; q++) {
    float s = scale_of(set, query + q * set->dim);
    for (size_t j = 0; j < set->dim; j++) scaled[q * set->dim + j] = s * query[q * set->dim + j];
    for (size_t i = 0; i < k; i++) distance[q * k + i] = HUGE_VALF;
  }
  for (size_t first = 0; first < count; first += BLOCK) {
    size_t n = count - first < BLOCK ? count - first : BLOCK;
    transpose(set, vector + first * set->dim, n, block);
    for (size_t q = 0; q < queries; q++) {
      float *d = distance + q * k;
      uint32_t *id = near + q * k;
      block_distances(block, scaled + q * set->dim, set->dim, found);
      for (size_t i = 0; i < n; i++) {
        size_t at = k - 1;
        if (!(found[i] < d[k - 1])) continue;
        for (; at > 0 && d[at - 1] > found[i]; at--) {
          d[at] = d[at - 1];
          id[at] = id[at - 1];
        }
        d[at] = found[i];
        id[at] = (uint32_t)(first + i);
      }
    }
  }
  free(block);
  free(scaled);
}

void data_truth(const char *dir, DataSet *set) {
  size_t count = (size_t)DATA_QUERIES * DATA_NEIGHBOURS, size = count * (sizeof(uint32_t) + sizeof(float));
  Key key = key_of(recipe_of(set->name), "qbtruth", set->rows, DATA_NEIGHBOURS);
  char path[1024];
  const uint32_t *p;
  snprintf(path, sizeof path, "%s/%s-%zu.truth", dir, set->name, set->rows);
  p = map_file(path, &key, size);
  if (p == NULL) {
    uint32_t *near = bench_alloc(count * sizeof *near);
    float *distance = bench_alloc(count * sizeof *distance);
    data_exact(set, set->base, set->rows, set->query, DATA_QUERIES, DATA_NEIGHBOURS, near, distance);
    write_file(path, &key, near, count * sizeof *near, distance, count * sizeof *distance);
    free(near);
    free(distance);
    p = map_file(path, &key, size);
    if (p == NULL) bench_fail("%s: not as it was written", path);
  }
  set->near = p;
  set->near_distance = (const float *)(const void *)(p + count);
}

size_t data_hits(const float *distance, size_t k, float true_kth) {
  size_t hits = 0;
  for (size_t i = 0; i < k; i++) hits += distance[i] <= true_kth * 1.00001f;
  return hits;
}

/* Levina and Bickel 2005; distances here are squared. */
double data_intrinsic_dimension(const DataSet *set) {
  double *each = bench_alloc(DATA_QUERIES * sizeof *each), result;
  for (size_t q = 0; q < DATA_QUERIES; q++) {
    const float *d = set->near_distance + q * DATA_NEIGHBOURS;
    double sum = 0;
    for (size_t i = 0; i < DATA_NEIGHBOURS - 1; i++) {
      if (d[i] > 0) sum += 0.5 * log((double)d[DATA_NEIGHBOURS - 1] / (double)d[i]);
    }
    each[q] = sum > 0 ? (DATA_NEIGHBOURS - 1) / sum : 0;
  }
  result = bench_median(each, DATA_QUERIES);
  free(each);
  return result;
}
