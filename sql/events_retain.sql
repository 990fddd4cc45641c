-- Drop events up to {offset}, but none after the last snapshot and not the last one; and snapshots before the last one up to there.
UPDATE "{schema}"."{name}_meta" SET floor = max(floor, min({offset},
  (SELECT coalesce(max(offset), 0) FROM "{schema}"."{name}_snapshots"),
  (SELECT coalesce(max(offset), 1) FROM "{schema}"."{name}") - 1));
DELETE FROM "{schema}"."{name}" WHERE offset <= (SELECT floor FROM "{schema}"."{name}_meta");
DELETE FROM "{schema}"."{name}_snapshots" WHERE offset < (SELECT max(offset) FROM "{schema}"."{name}_snapshots"
  WHERE offset <= max({offset}, 0));
DELETE FROM "{schema}"."{name}_state" WHERE snapshot NOT IN (SELECT offset FROM "{schema}"."{name}_snapshots");
DELETE FROM "{schema}"."{name}_floors" WHERE snapshot NOT IN (SELECT offset FROM "{schema}"."{name}_snapshots");
