/*
 * peer.h: hnswlib (Malkov and Yashunin's own library) as the peer of the graph index, unchanged, called from C.
 *
 * Distances are l2 or inner product; cosine is the latter for vectors that the caller scales to length 1. Exceptions
 * end the program.
 */
#ifndef BENCH_PEER_H
#define BENCH_PEER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct Peer Peer;

Peer *peer_new(size_t dim, int inner_product, size_t max_rows, size_t m, size_t ef_construction);
/* An index that peer_save wrote. */
Peer *peer_load(size_t dim, int inner_product, const char *path);
void peer_save(Peer *peer, const char *path);
void peer_free(Peer *peer);
void peer_add(Peer *peer, const float *vector, int64_t label);
/* The labels of the k nearest that a search with ef finds, nearest first; how many. */
size_t peer_search(Peer *peer, const float *query, size_t k, size_t ef, int64_t *labels);
/* Only labels that `passes` lets pass; hnswlib 0.7 or newer, else the program ends. */
size_t peer_search_filtered(Peer *peer, const float *query, size_t k, size_t ef,
                            int (*passes)(void *arg, int64_t label), void *arg, int64_t *labels);

#ifdef __cplusplus
}
#endif

#endif
