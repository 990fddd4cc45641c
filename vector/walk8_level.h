/*
 * walk8_level.h: the loop over rows, as a template. Included once by a kernel file that defines before:
 *
 *   CODE                       target attribute of the level
 *   WALK8_DOTS                 name of the function
 *   walk8_four(q, row, dots)   four sums
 *
 * The last rows of a call are padded by repeating the last one.
 */
#if defined(WALK8_DOTS)

CODE void WALK8_DOTS(const Walk8Query *query, const u8 *const *rows, u32 count, i32 *dots) {
  const u8 *row[SCAN_ROWS];
  i32 last[SCAN_ROWS];
  for (; count >= SCAN_ROWS; count -= SCAN_ROWS, rows += SCAN_ROWS, dots += SCAN_ROWS) walk8_four(query, rows, dots);
  if (count == 0) return;
  row[0] = rows[0];
  row[1] = count > 1 ? rows[1] : rows[0];
  row[2] = count > 2 ? rows[2] : rows[0];
  row[3] = rows[0];
  walk8_four(query, row, last);
  memcpy(dots, last, count * sizeof *dots);
}

#endif
