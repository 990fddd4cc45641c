/*
 * args_int.h: the parser that the arguments of CREATE VIRTUAL TABLE (vtab_args.c) and indexes (vtab_index.c) are read with.
 */
#ifndef QUIRE_ARGS_INT_H
#define QUIRE_ARGS_INT_H

#include "spec.h"

typedef struct Parser {
  TableSpec *spec; /* NULL in a command */
  const char *arg; /* the argument being parsed, whole */
  const char *at;  /* what is left of it */
  char **error;
  int rc; /* sticky: once set, nothing more is parsed */
  int count[COL_RECORD + 1];
  u64 cap, value_cap;
} Parser;

/* Set p->rc and the message, unless there is one already. */
void parser_fail(Parser *p, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* The word that is next, without taking it; its size is 0 if there is none. */
const char *peek_word(Parser *p, int *size);
int word_is(const char *word, int size, const char *wanted);
/* Take the word `wanted`, in any case, or character `c`, if it is next. */
int take_word(Parser *p, const char *wanted);
int take_char(Parser *p, char c);
/* Nothing but space is left. */
int at_end(Parser *p);

/* The index that is next, "hnsw(m=32)", as it is written: members are 0 where nothing is said. Else p->rc is set. */
void parse_index(Parser *p, IndexShape *out);
/* Fill in what `index` leaves open for a column whose type and metric are known; what does not fit them sets p->rc. */
void resolve_index(Parser *p, const Column *column, IndexShape *index);
/* The index of a column that does not say. */
IndexShape index_default(const Dialect *dialect, Elem elem);

#endif
