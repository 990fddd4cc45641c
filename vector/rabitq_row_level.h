/*
 * rabitq_row_level.h: the loop over rows, as a template. Included once by a kernel file that defines before:
 *
 *   CODE                            target attribute of the level
 *   RABITQ_ROW_SUMS                 name of the function
 *   rabitq_row_four(q, row, sums)   four sums
 *
 * The last rows of a call are padded by repeating the last one.
 */
#if defined(RABITQ_ROW_SUMS)

CODE void RABITQ_ROW_SUMS(const RabitqRowQuery *query, const u8 *const *rows, u32 count, i32 *sums) {
  const u8 *row[SCAN_ROWS];
  i32 last[SCAN_ROWS];
  for (; count >= SCAN_ROWS; count -= SCAN_ROWS, rows += SCAN_ROWS, sums += SCAN_ROWS)
    rabitq_row_four(query, rows, sums);
  if (count == 0) return;
  row[0] = rows[0];
  row[1] = count > 1 ? rows[1] : rows[0];
  row[2] = count > 2 ? rows[2] : rows[0];
  row[3] = rows[0];
  rabitq_row_four(query, row, last);
  memcpy(sums, last, count * sizeof *sums);
}

#endif
