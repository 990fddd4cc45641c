-- No revision that a deleted row had may come again.
UPDATE "{schema}"."{name}_meta" SET floor = (
  SELECT coalesce(max(revision), 0) FROM (
    SELECT revision FROM "{schema}"."{log}" WHERE type = 'delete'
      AND (collection = '{name}' OR substr(collection, 1, length('{name}/')) = '{name}/')
      AND offset > (SELECT coalesce(max(offset), 0) FROM "{schema}"."{log}_snapshots")
    UNION ALL
    SELECT revision FROM "{schema}"."{log}_floors"
    WHERE (collection = '{name}' OR substr(collection, 1, length('{name}/')) = '{name}/')
      AND snapshot = (SELECT max(offset) FROM "{schema}"."{log}_snapshots")));
