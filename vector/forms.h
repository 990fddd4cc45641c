/*
 * forms.h: how the pages have the vectors of a column, as a struct of functions.
 *
 *   dense_form    all of one size: the item of `vectors` is the vector, that of `codes` its code row, if the type has one
 *   sparse_form   of different sizes: the BLOB of each (sparse.h) lies in `codes`, in items of 4 bytes and never across extents; its item of `vectors` says
 *                 where: u64 first item, u32 items, u32 zero
 *   record_form   the same for the records of a map (record.h), which no index has
 *
 *   F1  What lies in the pages of such a column is checked at each read as far as memory depends on it: place, size, and dimensions or columns. That
 *       indexes ascend was checked when it was written, and the checksum says that it is what was written.
 */
#ifndef QUIRE_FORMS_H
#define QUIRE_FORMS_H

#include "slots.h"

struct VectorForm {
  int in_slots; /* an item of `vectors` is the vector */
  u32 mark;     /* not in_slots: the first word of each */
  u32 index;    /* the only kind of index of such columns; 0: any kind but those that are the only one of others */
  /* Whether these bytes are a vector of this shape; whether they are but for elements that are not finite. */
  int (*valid)(const VectorShape *shape, const void *bytes, u64 size);
  int (*shaped)(const VectorShape *shape, const void *bytes, u64 size);
  /* Fill in sizes and strides of a column whose type, metric and dimensions are known. */
  void (*lay_out)(SlotColumn *col);
  /* Whether there are as many codes as `slots` slots need. */
  int (*fits)(const SlotColumn *col, u64 slots);
  /* Bytes that a row takes in both, about. */
  u64 (*row_bytes)(const SlotColumn *col);
  /* The row of a slot, the next one or, with in_slots, any; NULL: it has no vector. */
  int (*put)(const SlotColumn *col, ArrayWriter *vectors, ArrayWriter *codes, u64 slot, const u8 *vector);
  /* The vector of a slot that has one; it stays valid until pages_release. */
  int (*get)(Slots *slots, u32 column, u64 slot, const u8 **vector, PageHold *hold);
  /* Whether what the slot has beside its vector fits it. `row`: MAX_DIM + 64 bytes to work in. */
  int (*check)(Slots *slots, u32 column, u64 slot, u8 *row, int *fit);
};

extern const VectorForm dense_form, sparse_form, record_form;

const VectorForm *form_of(Elem elem);

/* Of columns that are not in_slots: where a vector lies, as its item of `vectors` says; 0: it says nonsense. */
int sized_place(const u8 *item, u64 *at, u32 *words);
/* Whether so many words of `codes` are a vector of the column, as far as memory depends on it. */
int sized_sound(const SlotColumn *col, const u8 *bytes, u32 words);

#endif
