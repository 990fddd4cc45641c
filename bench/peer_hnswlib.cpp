/* peer_hnswlib.cpp: see peer.h. Debian: libhnswlib-dev. */
#include "peer.h"

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>

#include <hnswlib/hnswlib.h>

struct Peer {
  std::unique_ptr<hnswlib::SpaceInterface<float>> space;
  std::unique_ptr<hnswlib::HierarchicalNSW<float>> graph;
};

template <typename Work> static void or_end(Work work) {
  try {
    work();
  } catch (const std::exception &e) {
    std::fprintf(stderr, "hnswlib: %s\n", e.what());
    std::exit(1);
  }
}

static std::unique_ptr<Peer> with_space(size_t dim, int inner_product) {
  std::unique_ptr<Peer> peer(new Peer);
  if (inner_product)
    peer->space.reset(new hnswlib::InnerProductSpace(dim));
  else
    peer->space.reset(new hnswlib::L2Space(dim));
  return peer;
}

template <typename Found> static size_t take_labels(Found found, int64_t *labels) {
  size_t count = found.size();
  for (size_t i = count; i > 0; i--) {
    labels[i - 1] = static_cast<int64_t>(found.top().second);
    found.pop();
  }
  return count;
}

extern "C" {

Peer *peer_new(size_t dim, int inner_product, size_t max_rows, size_t m, size_t ef_construction) {
  std::unique_ptr<Peer> peer;
  or_end([&] {
    peer = with_space(dim, inner_product);
    peer->graph.reset(new hnswlib::HierarchicalNSW<float>(peer->space.get(), max_rows, m, ef_construction));
  });
  return peer.release();
}

Peer *peer_load(size_t dim, int inner_product, const char *path) {
  std::unique_ptr<Peer> peer;
  or_end([&] {
    peer = with_space(dim, inner_product);
    peer->graph.reset(new hnswlib::HierarchicalNSW<float>(peer->space.get(), path));
  });
  return peer.release();
}

void peer_save(Peer *peer, const char *path) {
  or_end([&] { peer->graph->saveIndex(path); });
}

void peer_free(Peer *peer) { delete peer; }

void peer_add(Peer *peer, const float *vector, int64_t label) {
  or_end([&] { peer->graph->addPoint(vector, static_cast<hnswlib::labeltype>(label)); });
}

size_t peer_search(Peer *peer, const float *query, size_t k, size_t ef, int64_t *labels) {
  size_t count = 0;
  or_end([&] {
    peer->graph->setEf(ef);
    count = take_labels(peer->graph->searchKnn(query, k), labels);
  });
  return count;
}

#if defined(HNSWLIB_FILTERS)
struct Filter : hnswlib::BaseFilterFunctor {
  int (*passes)(void *arg, int64_t label);
  void *arg;
  bool operator()(hnswlib::labeltype label) override { return passes(arg, static_cast<int64_t>(label)) != 0; }
};
#endif

size_t peer_search_filtered(Peer *peer, const float *query, size_t k, size_t ef,
                            int (*passes)(void *arg, int64_t label), void *arg, int64_t *labels) {
  size_t count = 0;
#if defined(HNSWLIB_FILTERS)
  or_end([&] {
    Filter filter;
    filter.passes = passes;
    filter.arg = arg;
    peer->graph->setEf(ef);
    count = take_labels(peer->graph->searchKnn(query, k, &filter), labels);
  });
#else
  (void)peer, (void)query, (void)k, (void)ef, (void)passes, (void)arg, (void)labels;
  std::fprintf(stderr, "filters need hnswlib 0.7 or newer: HNSWLIB=folder of its headers' folder hnswlib\n");
  std::exit(1);
#endif
  return count;
}
}
