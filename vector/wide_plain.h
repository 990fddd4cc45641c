/*
 * wide_plain.h: sixteen floats for C alone: what wide.h lists. Included after CODE is defined.
 */
#if defined(CODE)

typedef struct W {
  float lane[WIDE_LANES];
} W;

#define EACH_LANE(j) for (j = 0; j < WIDE_LANES; j++)

ALWAYS_INLINE W w_all(float f) {
  W w;
  u32 j;
  EACH_LANE(j) w.lane[j] = f;
  return w;
}

#define EACH_PAIR(name, expression)                                                                                    \
  ALWAYS_INLINE W name(W a, W b) {                                                                                     \
    u32 j;                                                                                                             \
    EACH_LANE(j) a.lane[j] = expression;                                                                               \
    return a;                                                                                                          \
  }

EACH_PAIR(w_add, a.lane[j] + b.lane[j])
EACH_PAIR(w_sub, a.lane[j] - b.lane[j])
EACH_PAIR(w_mul, a.lane[j] * b.lane[j])
EACH_PAIR(w_max, a.lane[j] > b.lane[j] ? a.lane[j] : b.lane[j])
EACH_PAIR(w_min, a.lane[j] < b.lane[j] ? a.lane[j] : b.lane[j])

ALWAYS_INLINE W w_abs(W a) {
  u32 j;
  EACH_LANE(j) a.lane[j] = fabsf(a.lane[j]);
  return a;
}

ALWAYS_INLINE W w_load(const float *p) {
  W w;
  memcpy(w.lane, p, sizeof w.lane);
  return w;
}

ALWAYS_INLINE void w_store(float *p, W a) { memcpy(p, a.lane, sizeof a.lane); }

ALWAYS_INLINE void w_codes(u8 *p, W a) {
  u32 j;
  EACH_LANE(j) p[j] = (u8)f32_bits(a.lane[j]);
}

ALWAYS_INLINE W w_hadamard(W a) {
  float *p = a.lane;
  u32 j, h;
  for (h = 1; h < WIDE_LANES; h *= 2) {
    for (j = 0; j < WIDE_LANES; j++) {
      float x = p[j], y = p[j | h];
      if (j & h) continue;
      p[j] = x + y;
      p[j | h] = x - y;
    }
  }
  return a;
}

#define WIDE(name, at)                                                                                                 \
  ALWAYS_INLINE W name(const u8 *p) {                                                                                  \
    W w;                                                                                                               \
    u32 j;                                                                                                             \
    EACH_LANE(j) w.lane[j] = at(p, j);                                                                                 \
    return w;                                                                                                          \
  }

WIDE(f32_wide, f32_at)
WIDE(f16_wide, f16_at)
WIDE(bf16_wide, bf16_at)

#endif
